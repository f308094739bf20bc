//! Where the fields of a YAML document stand.

use std::collections::HashMap;

use super::repeated::Node;
use super::yaml;

/// The line of each field and list entry, counted from 1, by its JSON pointer. Empty for what is not YAML.
pub fn lines(bytes: &[u8]) -> HashMap<String, usize> {
    let mut found = HashMap::new();
    let Ok(text) = yaml::text(bytes) else {
        return found;
    };
    let text = yaml::first_document(&text);
    if let Ok(document) = serde_saphyr::from_str_with_options::<Node>(text, yaml::options()) {
        look(&document, "", &mut found);
    }
    found
}

fn look(node: &Node, at: &str, found: &mut HashMap<String, usize>) {
    match node {
        Node::Leaf => {}
        Node::List(elements) => {
            for (index, element) in elements.iter().enumerate() {
                look(element, &format!("{at}/{index}"), found);
            }
        }
        Node::Map(entries) => {
            for (key, value) in entries {
                let path = format!("{at}/{}", key.value.replace('~', "~0").replace('/', "~1"));
                look(&value.value, &path, found);
                found.insert(path, usize::try_from(key.referenced.line()).unwrap_or_default());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_has_the_line_of_its_key() {
        let found = lines(b"# a comment\na:\n  b/c: 1\n\n  d:\n  - e: 2\n    f: 3\nexit: &x {g: 4}\n");
        for (path, line) in [
            ("/a", 2),
            ("/a/b~1c", 3),
            ("/a/d", 5),
            ("/a/d/0/e", 6),
            ("/a/d/0/f", 7),
            ("/exit/g", 8),
        ] {
            assert_eq!(found.get(path), Some(&line), "{path} in {found:?}");
        }
    }
}
