//! What stands at a place of a text that other software has rewritten (§2.8).

use core::str;

/// A character, however it is written, and where the text goes on behind it.
#[derive(Clone, Copy)]
pub(super) struct Unit {
    pub(super) what: char,
    pub(super) end: usize,
}

/// What may stand between two lines of a text.
pub(super) struct Gap {
    pub(super) end: usize,
    /// A line ends in it.
    pub(super) is_wrap: bool,
}

/// The longest gap, in characters: deep quoting of mail fits.
const MAX_GAP: usize = 64;

/// How often a text may be encoded on top of itself.
const MAX_LAYERS: usize = 8;

/// So far behind ASCII its characters stand once more, as wide as those of Chinese.
const FULL_WIDTH: u32 = 0xfee0;

/// The character at this place, out of percent-encoding of any depth, HTML, JSON, or full width.
pub(super) fn unit(text: &str, at: usize) -> Option<Unit> {
    let rest = text.get(at..)?;
    let raw = rest.chars().next()?;
    let decoded = match raw {
        '%' => escaped(rest.as_bytes(), b'%'),
        '&' => entity(rest),
        '\\' => in_json(rest),
        _ => None,
    };
    let (what, length) = decoded.unwrap_or((raw, raw.len_utf8()));
    let what = match what {
        '\u{ff01}'..='\u{ff5e}' => u32::from(what).checked_sub(FULL_WIDTH).and_then(char::from_u32).unwrap_or(what),
        '﹟' => '#',
        '﹕' => ':',
        what => what,
    };
    Some(Unit { what, end: at.saturating_add(length) })
}

/// The first character from here that a reader sees.
pub(super) fn visible(text: &str, at: usize) -> Option<Unit> {
    unit(text, skip_invisible(text, at))
}

/// Where the invisible characters from here end.
pub(super) fn skip_invisible(text: &str, mut at: usize) -> usize {
    loop {
        at = match unit(text, at) {
            Some(unit) if is_invisible(unit.what) => unit.end,
            Some(unit) if unit.what == '=' => match quoted(text, at) {
                Some((what, end)) if is_invisible(what) => end,
                _ => return at,
            },
            _ => return at,
        };
    }
}

/// In quoted-printable, behind `=`: a line end that is none, or a character.
pub(super) fn quoted(text: &str, at: usize) -> Option<(char, usize)> {
    const NOTHING: char = '\u{200b}';
    let rest = text.get(at..)?;
    for line_end in ["=\r\n", "=\n"] {
        if rest.starts_with(line_end) {
            return Some((NOTHING, at.saturating_add(line_end.len())));
        }
    }
    escaped(rest.as_bytes(), b'=').map(|(what, length)| (what, at.saturating_add(length)))
}

/// The gap from here, if one is.
pub(super) fn gap(text: &str, from: usize) -> Option<Gap> {
    let mut gap = Gap { end: from, is_wrap: false };
    for _ in 0..MAX_GAP {
        let Some(unit) = unit(text, gap.end) else { break };
        gap.end = match unit.what {
            what if is_line_end(what) => {
                gap.is_wrap = true;
                unit.end
            }
            '>' | '|' | '│' | '\\' => unit.end,
            what if what.is_whitespace() || is_invisible(what) => unit.end,
            // A hyphen of a typesetter.
            '-' | '\u{2010}' if self::unit(text, unit.end).is_some_and(|next| is_line_end(next.what)) => unit.end,
            '=' => match quoted(text, gap.end) {
                Some((what, end)) if what.is_whitespace() || is_invisible(what) => {
                    gap.is_wrap |= is_line_end(what);
                    end
                }
                _ => break,
            },
            '<' => match tag(text, gap.end) {
                Some((name, end)) => {
                    gap.is_wrap |= name.eq_ignore_ascii_case("br");
                    end
                }
                None => break,
            },
            _ => break,
        };
    }
    (gap.end > from).then_some(gap)
}

/// The name of an HTML tag, and where it ends.
fn tag(text: &str, at: usize) -> Option<(&str, usize)> {
    const LONGEST: usize = 64;
    let rest = text.get(at..)?.strip_prefix('<')?;
    let length = rest.bytes().take(LONGEST).position(|byte| matches!(byte, b'>' | b'<'))?;
    let inner = rest.get(..length)?;
    let name = inner.strip_prefix('/').unwrap_or(inner).split([' ', '/']).next()?;
    let is_tag = rest.get(length..)?.starts_with('>')
        && !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    is_tag.then_some((name, at.checked_add(length)?.checked_add(2)?))
}

/// A character of one to four bytes, each written as `mark` and two hexadecimal digits; and how long that is.
pub(super) fn escaped(rest: &[u8], mark: u8) -> Option<(char, usize)> {
    let (first, mut length) = escaped_byte(rest, mark)?;
    let mut bytes = [first, 0, 0, 0];
    let count = match first {
        0..0x80 => 1,
        0xc2..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf5 => 4,
        _ => return None,
    };
    for byte in bytes.iter_mut().take(count).skip(1) {
        let (next, more) = escaped_byte(rest.get(length..)?, mark)?;
        *byte = next;
        length = length.saturating_add(more);
    }
    let what = str::from_utf8(bytes.get(..count)?).ok()?.chars().next()?;
    Some((what, length))
}

fn escaped_byte(rest: &[u8], mark: u8) -> Option<(u8, usize)> {
    let mut at: usize = 1;
    if *rest.first()? != mark {
        return None;
    }
    // `%25` stands for `%`, as often as it was encoded.
    for _ in 0..MAX_LAYERS {
        let (Some(b"25"), Some(_)) = (rest.get(at..at.saturating_add(2)), hex(rest, at.saturating_add(2))) else {
            break;
        };
        if mark != b'%' {
            break;
        }
        at = at.saturating_add(2);
    }
    Some((hex(rest, at)?, at.saturating_add(2)))
}

/// Two hexadecimal digits.
fn hex(rest: &[u8], at: usize) -> Option<u8> {
    let digits = str::from_utf8(rest.get(at..at.checked_add(2)?)?).ok()?;
    if digits.starts_with('+') { None } else { u8::from_str_radix(digits, 16).ok() }
}

/// A character of HTML: by number or by name.
fn entity(rest: &str) -> Option<(char, usize)> {
    const LONGEST: usize = 20;
    let mut name = rest.strip_prefix('&')?;
    for _ in 0..MAX_LAYERS {
        name = name.strip_prefix("amp;").filter(|name| !name.is_empty()).unwrap_or(name);
    }
    let length = name.bytes().take(LONGEST).position(|byte| byte == b';')?;
    let (inner, behind) = (name.get(..length)?, name.get(length..)?.strip_prefix(';')?);
    let number = |digits, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
    let what = match inner {
        "num" => '#',
        "colon" => ':',
        "sol" => '/',
        "percnt" => '%',
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "nbsp" => '\u{a0}',
        "NewLine" => '\n',
        "shy" => '\u{ad}',
        "ZeroWidthSpace" => '\u{200b}',
        "zwnj" => '\u{200c}',
        "zwj" => '\u{200d}',
        "lrm" => '\u{200e}',
        "rlm" => '\u{200f}',
        "NoBreak" => '\u{2060}',
        _ => match inner.strip_prefix("#x").or(inner.strip_prefix("#X")) {
            Some(digits) => number(digits, 16)?,
            None => number(inner.strip_prefix('#')?, 10)?,
        },
    };
    Some((what, rest.len().checked_sub(behind.len())?))
}

/// A character of a JSON string.
fn in_json(rest: &str) -> Option<(char, usize)> {
    let escape = rest.strip_prefix('\\')?;
    match escape.bytes().next()? {
        b'n' => Some(('\n', 2)),
        b'r' => Some(('\r', 2)),
        b't' => Some(('\t', 2)),
        b'/' => Some(('/', 2)),
        b'u' => {
            let digits = escape.get(1..5)?;
            let what = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32)?;
            Some((what, 6))
        }
        _ => None,
    }
}

pub(super) const fn is_line_end(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Control characters, and those that Unicode says to ignore by default, bidirectional controls among them.
pub(crate) fn is_invisible(c: char) -> bool {
    match c {
        '\t' | ' ' => false,
        c if is_line_end(c) => false,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' => true,
        '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' => true,
        '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' => true,
        '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}' => true,
        c => c.is_control(),
    }
}
