//! QR codes on a terminal.

use std::io::{IsTerminal, stdout};

use qrcode::render::unicode::Dense1x2;
use qrcode::types::QrError;
use qrcode::{EcLevel, QrCode, Version};

/// Black on white whatever the terminal's colours are.
pub fn show(text: &str) -> Result<(), QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
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
