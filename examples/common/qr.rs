//! QR codes on a terminal.

use std::io::{IsTerminal, stdout};

use qrcode::bits::Bits;
use qrcode::render::unicode::Dense1x2;
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode, Version};

/// Black on white whatever the terminal's colours are.
pub fn show(text: &str) -> Result<(), QrError> {
    let code = smallest(text.as_bytes())?;
    let (on, off) = if stdout().is_terminal() { ("\x1b[30;107m", "\x1b[0m") } else { ("", "") };
    for line in code.render::<Dense1x2>().quiet_zone(true).build().lines() {
        println!("  {on}{line}{off}");
    }
    let width = code.width();
    if let Version::Normal(version) = code.version() {
        println!("\n  QR version {version}: {width}×{width}, error correction M, {} characters", text.len());
    }
    Ok(())
}

/// The smallest code that holds the text as one byte segment, or cut into segments of several kinds: now the one fits, now the other.
fn smallest(text: &[u8]) -> Result<QrCode, QrError> {
    type Push = fn(&mut Bits, &[u8]) -> Result<(), QrError>;
    let ways: [Push; 2] = [Bits::push_byte_data, Bits::push_optimal_data];
    let code = |version, push: Push| {
        let mut bits = Bits::new(Version::Normal(version));
        push(&mut bits, text)?;
        bits.push_terminator(EcLevel::M)?;
        QrCode::with_bits(bits, EcLevel::M)
    };
    let mut codes = (1..=40).flat_map(|version| ways.map(|push| code(version, push)));
    codes.find(Result::is_ok).unwrap_or(Err(QrError::DataTooLong))
}
