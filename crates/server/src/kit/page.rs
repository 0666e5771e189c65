//! The page to print: one HTML file that needs nothing else.

use holm_core::age::Identity;
use qrcodegen::{QrCode, QrCodeEcc};

use super::words;

const TEMPLATE: &str = include_str!("page.html");
/// White modules around a QR code, as readers expect.
const QUIET: i32 = 4;

/// The kit of `host`, made on `date`.
pub fn page(identity: &Identity, host: &str, date: &str) -> crate::settings::Fallible<String> {
    let cells: String = words(identity).iter().map(|word| format!("<li>{word}</li>\n")).collect();
    let text = identity.text();
    let lines = [("{host}", escaped(host)), ("{date}", escaped(date)), ("{words}", cells), ("{qr}", qr(&text)?)];
    let lines = lines.into_iter().chain([("{identity}", text.to_string()), ("{recipient}", identity.recipient()?.text())]);
    Ok(lines.fold(TEMPLATE.to_owned(), |page, (name, value)| page.replace(name, &value)))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The text as a QR code in SVG.
fn qr(text: &str) -> crate::settings::Fallible<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).map_err(|e| format!("the QR code: {e:?}"))?;
    let size = code.size();
    let dark = (0..size).flat_map(|y| (0..size).map(move |x| (x, y))).filter(|(x, y)| code.get_module(*x, *y));
    let path: String = dark.map(|(x, y)| format!("M{} {}h1v1h-1z", x + QUIET, y + QUIET)).collect();
    let side = size + 2 * QUIET;
    Ok(format!(
        r##"<svg viewBox="0 0 {side} {side}" role="img" aria-label="QR code of the identity"><path fill="#fff" d="M0 0h{side}v{side}H0z"/><path d="{path}"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_whole_and_asks_nobody() {
        let identity = Identity::from_bytes([5; 32]);
        let page = page(&identity, "a<b>&c", "2026-01-02").unwrap();
        assert!(page.contains("a&lt;b&gt;&amp;c") && page.contains("2026-01-02") && page.contains(identity.text().as_str()));
        assert_eq!(page.matches("<li>").count(), 24 + 4, "24 words and four steps");
        for (n, word) in words(&identity).iter().enumerate() {
            assert!(page.contains(&format!("<li>{word}</li>")), "word {}", n + 1);
        }
        assert!(!page.contains('{') || !page.contains("{words}"));
        assert!(!page.contains("http://") && !page.contains("https://") && !page.contains("<script"), "it must load nothing");
    }
}
