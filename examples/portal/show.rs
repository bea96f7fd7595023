//! What is printed: a story of plain lines. In front of each stands the rule of docs/portal.md that it shows.

use std::error::Error;
use std::fmt::{Debug, Display};

/// A sentence that the system is told in.
pub fn heading(text: &str) {
    println!("\n── {text}\n");
}

pub fn tell(rule: &str, text: &str) {
    println!("  {rule:<9} {text}");
}

/// Tells it, if it is so. If it is not, the run fails.
pub fn check(rule: &str, text: &str, is_so: bool) -> Result<(), Box<dyn Error>> {
    if is_so {
        tell(rule, text);
        return Ok(());
    }
    Err(format!("this is not so: {rule} {text}").into())
}

/// Tells what came, if it is what should come.
pub fn equal<T: PartialEq + Debug>(rule: &str, text: &str, came: &T, should: &T) -> Result<(), Box<dyn Error>> {
    if came == should {
        check(rule, text, true)
    } else {
        Err(format!("{rule} {text}: {came:?}, and not {should:?}").into())
    }
}

/// Tells what was refused, and the error's own words, if it is this error.
pub fn refused<T: Debug, E: PartialEq + Display + Debug>(
    rule: &str,
    text: &str,
    came: &Result<T, E>,
    should: &E,
) -> Result<(), Box<dyn Error>> {
    match came {
        Err(error) if error == should => {
            tell(rule, text);
            tell("", &format!("  ✗ {error}"));
            Ok(())
        }
        _ => Err(format!("{rule} {text}: {came:?}, and not {should:?}").into()),
    }
}
