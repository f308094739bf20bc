//! Protobuf's wire format: a cursor over it, and what writes it.

/// A cursor over the wire format.
pub(super) struct Wire<'a>(pub(super) &'a [u8]);

pub(super) enum Item<'a> {
    Number(u64),
    Fixed(u64),
    Bytes(&'a [u8]),
}

impl<'a> Wire<'a> {
    /// The next field; `Some(None)` at the end, `None` when the bytes are malformed.
    #[expect(clippy::option_option, reason = "the end and a failure are different things")]
    pub(super) fn next(&mut self) -> Option<Option<(u64, Item<'a>)>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let tag = self.varint()?;
        let item = match tag & 7 {
            0 => Item::Number(self.varint()?),
            1 => Item::Fixed(u64::from_le_bytes(self.take(8)?.try_into().ok()?)),
            2 => {
                let len = usize::try_from(self.varint()?).ok()?;
                Item::Bytes(self.take(len)?)
            }
            5 => Item::Fixed(u64::from(u32::from_le_bytes(self.take(4)?.try_into().ok()?))),
            _ => return None,
        };
        Some(Some((tag >> 3, item)))
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for at in 0..10 {
            let (byte, rest) = self.0.split_first()?;
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * at);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(len)?;
        self.0 = tail;
        Some(head)
    }
}

/// The kinds of values on the wire.
pub(super) const VARINT: u64 = 0;
pub(super) const FIXED64: u64 = 1;
pub(super) const BYTES: u64 = 2;

pub(super) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        // The low seven bits, with the mark that more follow.
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(super) fn put_tag(out: &mut Vec<u8>, number: u64, kind: u64) {
    put_varint(out, number << 3 | kind);
}

/// A field of text, bytes or a message.
pub(super) fn put_bytes(out: &mut Vec<u8>, number: u64, bytes: &[u8]) {
    put_tag(out, number, BYTES);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(super) fn put_number(out: &mut Vec<u8>, number: u64, value: u64) {
    put_tag(out, number, VARINT);
    put_varint(out, value);
}

pub(super) fn put_double(out: &mut Vec<u8>, number: u64, value: f64) {
    put_tag(out, number, FIXED64);
    out.extend_from_slice(&value.to_bits().to_le_bytes());
}

/// Makes what stands behind `start` the content of a field: puts the field's head before it.
pub(super) fn enclose(out: &mut Vec<u8>, number: u64, start: usize) {
    let length = out.len() - start;
    put_tag(out, number, BYTES);
    put_varint(out, length as u64);
    let head = out.len() - start - length;
    if let Some(field) = out.get_mut(start..) {
        field.rotate_right(head);
    }
}
