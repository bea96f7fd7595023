//! Sends each text through crates that make links, clean pages, read addresses, or write and read QR codes. JSON lines in, JSON lines out.
//! `links`, `write` and `read` say which.

use std::io::{self, BufRead};

use image::{DynamicImage, GrayImage, Luma};
use serde_json::{Map, Value, json};

type Output = Result<Value, String>;

/// Each module 4 pixels wide, with the quiet zone of 4 modules.
fn picture(matrix: &[Vec<u8>]) -> GrayImage {
    let size = (matrix.len() as u32 + 8) * 4;
    GrayImage::from_fn(size, size, |x, y| {
        let module = |at: u32| (at / 4).checked_sub(4).map(|at| at as usize);
        let dark = module(y).zip(module(x)).and_then(|(y, x)| matrix.get(y)?.get(x));
        Luma([if dark == Some(&b'1') { 0 } else { 255 }])
    })
}

fn by_linkify(text: &str) -> Output {
    let finder = linkify::LinkFinder::new();
    Ok(json!({ "links": finder.links(text).map(|link| link.as_str().to_owned()).collect::<Vec<_>>() }))
}

fn by_comrak(text: &str) -> Output {
    let mut options = comrak::Options::default();
    options.extension.autolink = true;
    options.extension.strikethrough = true;
    options.extension.table = true;
    Ok(json!({ "html": comrak::markdown_to_html(text, &options) }))
}

fn by_pulldown_cmark(text: &str) -> Output {
    let mut html = String::new();
    pulldown_cmark::html::push_html(&mut html, pulldown_cmark::Parser::new(text));
    Ok(json!({ "html": html }))
}

fn by_url(text: &str) -> Output {
    let url = url::Url::parse(text).map_err(|error| error.to_string())?;
    Ok(json!({ "links": [url.as_str()] }))
}

fn by_qrcode(text: &str) -> Output {
    let code =
        qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).map_err(|error| error.to_string())?;
    let modules = code.to_colors();
    let rows = modules.chunks(code.width());
    let rows: Vec<String> = rows
        .map(|row| row.iter().map(|module| if *module == qrcode::Color::Dark { '1' } else { '0' }).collect())
        .collect();
    Ok(json!({ "matrix": rows }))
}

fn by_rqrr(matrix: &[Vec<u8>]) -> Output {
    let picture = picture(matrix);
    let size = picture.width() as usize;
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(size, size, |x, y| picture.get_pixel(x as u32, y as u32).0[0]);
    let grids = prepared.detect_grids();
    let grid = grids.first().ok_or("no grid")?;
    let (_, text) = grid.decode().map_err(|error| error.to_string())?;
    Ok(json!({ "text": text }))
}

fn by_bardecoder(matrix: &[Vec<u8>]) -> Output {
    let found = bardecoder::default_decoder().decode(&DynamicImage::ImageLuma8(picture(matrix)).to_rgba8());
    let text = found.into_iter().next().ok_or("no code")?.map_err(|error| error.to_string())?;
    Ok(json!({ "text": text }))
}

fn main() {
    let what = std::env::args().nth(1).unwrap_or_default();
    for line in io::stdin().lock().lines() {
        let mut given: Map<String, Value> = serde_json::from_str(&line.expect("a line")).expect("JSON");
        let matrix = given.remove("matrix");
        let text = given["text"].as_str().unwrap_or_default().to_owned();
        let sort = given["sort"].as_str().unwrap_or_default().to_owned();
        let outputs: Vec<(&str, &str, Output)> = match (what.as_str(), sort.as_str()) {
            ("links", "linkifier") => {
                vec![("linkify (Rust)", "0.11.0", by_linkify(&text)), ("comrak", "0.59.0", by_comrak(&text))]
            }
            ("links", "markdown") => vec![("pulldown-cmark", "0.13.6", by_pulldown_cmark(&text))],
            ("links", "page") => vec![("ammonia", "4.2.5", Ok(json!({ "html": ammonia::clean(&text) })))],
            ("links", "url") => vec![("url (Rust)", "2.5.8", by_url(&text))],
            ("write", "qr") => vec![("qrcode (Rust) 0.14.1", "", by_qrcode(&text))],
            ("read", "qr") => {
                let rows: Vec<Vec<u8>> = matrix
                    .iter()
                    .flat_map(|rows| rows.as_array().into_iter().flatten())
                    .filter_map(|row| Some(row.as_str()?.as_bytes().to_vec()))
                    .collect();
                given.insert("size".into(), rows.len().into());
                vec![("rqrr", "0.11.0", by_rqrr(&rows)), ("bardecoder", "0.5.0", by_bardecoder(&rows))]
            }
            _ => continue,
        };
        for (name, version, output) in outputs {
            let mut line = given.clone();
            line.insert(if what == "write" { "writer" } else { "software" }.into(), name.into());
            line.insert("version".into(), version.into());
            let output = output.unwrap_or_else(|error| json!({ "refused": error }));
            line.extend(output.as_object().cloned().unwrap_or_default());
            println!("{}", Value::Object(line));
        }
    }
}
