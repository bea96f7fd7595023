//! Characters that no name should have (§16.2).

/// Whether each character of this name shows, and leaves the others where they are.
///
/// Joiners and variation selectors are allowed: emoji and Persian need them. Tag characters are allowed behind a black flag, where they
/// make the flag of a region.
pub(crate) fn is_plain(name: &str) -> bool {
    plain(name).count() == name.chars().count()
}

/// The characters of a name but those.
pub(crate) fn plain(name: &str) -> impl Iterator<Item = char> {
    let mut in_flag = false;
    name.chars().filter(move |c| {
        let is_tag = matches!(c, '\u{e0000}'..='\u{e007f}');
        in_flag = *c == '\u{1f3f4}' || in_flag && is_tag;
        !is_control(*c) && (!is_tag || in_flag)
    })
}

/// Controls, line ends, what changes the direction of others, and what is invisible without a meaning in a name.
fn is_control(c: char) -> bool {
    match c {
        '\u{2028}' | '\u{2029}' => true,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{206a}'..='\u{206f}' => true,
        '\u{feff}' | '\u{fff9}'..='\u{fffb}' => true,
        c => c.is_control(),
    }
}
