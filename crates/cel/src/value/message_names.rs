//! Whether messages of open types stand in the fields that their types are named after.

use super::{List, Map, Value};

impl Value<'_> {
    /// Looks whether each message below this one is of the type that the way to it names: what stands in `spec`
    /// of an `Object` is an `Object.spec`. Lists and maps on the way have no name.
    ///
    /// # Errors
    /// One line for each that is not, in upstream's words.
    pub fn check_message_names(&self) -> Result<(), String> {
        let mut faults = Vec::new();
        if let Self::Map(Map::Message(name, _)) = self {
            look(self, name, &mut faults);
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.join("\n"))
        }
    }
}

fn look(value: &Value<'_>, way: &str, faults: &mut Vec<String>) {
    match value {
        Value::Map(Map::Message(name, fields)) => {
            if name != way {
                faults.push(format!(
                    "unexpected type name {:?}, expected {way:?}, which matches field name path from root Object type",
                    name.as_str()
                ));
            }
            for (field, value) in &**fields {
                look(value, &format!("{way}.{}", field.value()), faults);
            }
        }
        Value::Map(Map::Entries(entries)) => entries.values().for_each(|value| look(value, way, faults)),
        Value::List(List::Items(items) | List::Merged(items, _)) => {
            items.iter().for_each(|value| look(value, way, faults))
        }
        _ => {}
    }
}
