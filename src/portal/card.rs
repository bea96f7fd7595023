//! A Portal ID with an address, as a text: QR code, link, message over a line.
