//! Papers that lie in everybody's drawers: letters, lists, recipes, a bill, a table of what the house costs.

use super::Dice;

/// A page of plain text as a PDF (ISO 32000-1), in one of the fonts that every reader has.
pub fn pdf(title: &str, lines: &[String]) -> Vec<u8> {
    let escaped = |text: &str| text.replace('\\', "\\\\").replace('(', "\\(").replace(')', "\\)");
    let mut page = format!("BT /F2 20 Tf 64 760 Td ({}) Tj ET\n", escaped(title));
    for (n, line) in lines.iter().enumerate() {
        page += &format!("BT /F1 11 Tf 64 {} Td ({}) Tj ET\n", 716 - 18 * n, escaped(line));
    }
    let font = |name: &str| format!("<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>");
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 5 0 R /F2 6 0 R >> >> /Contents 4 0 R >>".to_owned(),
        format!("<< /Length {} >>\nstream\n{page}endstream", page.len()),
        font("Helvetica"),
        font("Helvetica-Bold"),
        format!("<< /Title ({}) /Producer (holm demo) >>", escaped(title)),
    ];
    let mut out = "%PDF-1.4\n".to_owned();
    let mut places = Vec::new();
    for (n, object) in objects.iter().enumerate() {
        places.push(out.len());
        out += &format!("{} 0 obj\n{object}\nendobj\n", n + 1);
    }
    let table = out.len();
    out += &format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        out += &format!("{place:010} 00000 n \n");
    }
    out += &format!("trailer\n<< /Size {} /Root 1 0 R /Info {} 0 R >>\nstartxref\n{table}\n%%EOF\n", objects.len() + 1, objects.len());
    out.into_bytes()
}

/// What the house cost in a year, month by month.
fn costs(dice: &mut Dice) -> String {
    let mut table = "Month,Rent,Heating,Electricity,Water,Internet\n".to_owned();
    for month in ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October"] {
        let (heating, power) = (20 + dice.below(90), 38 + dice.below(20));
        table += &format!("{month},870,{heating},{power},{},29.90\n", 18 + dice.below(6));
    }
    table
}

const PANCAKES: &str = "# Pancakes for four\n\nGrandmother's, with less sugar.\n\n- 250 g flour\n- 500 ml milk\n- 4 eggs\n- a pinch of salt\n- butter for the pan\n\n\
    1. Whisk flour, salt and half of the milk until it is smooth.\n2. Add the eggs, then the rest of the milk.\n3. **Wait half an hour.** It matters.\n\
    4. Bake them thin, in a very hot pan.\n\n> Sunday rule: whoever turns one in the air may have it.\n";
const SOUP: &str =
    "# Leek and potato soup\n\n- 3 leeks\n- 500 g potatoes\n- 1 l stock\n- a little cream, nutmeg\n\nSweat the leeks slowly; the rest is patience.\n";
const TRIP: &str = "# Ten days along the coast\n\n| Day | Where | Sleep |\n|---|---|---|\n| 1 | Ferry at 14:20 | Harbour house |\n| 2 | Lighthouse walk, 11 km | Harbour house |\n\
    | 3 | By bike to the dunes | Camp site |\n| 4 | Rain: museum of the sea | Camp site |\n| 5 | Island, seals at low tide | Farm |\n\n## To take\n\n- [x] tent, stove\n\
    - [x] rain coats\n- [ ] binoculars\n- [ ] the good map\n";
const LETTER: &str = "Dear Mrs Lund,\n\nthe window in the small room still lets the wind in. You wrote that somebody would\n\
    come before October; nobody has. I would be glad to hear from you this week.\n\nKind regards\n";
const IDEAS: &str =
    "books: the one about moss. a bench for the balcony?\nbirthday of dad: walk + cake, ask Bea about the kayak\nlearn: three songs on the ukulele\n";
const CODE: &str = "#!/usr/bin/env python3\n\"\"\"How much rain the barrel holds.\"\"\"\n\nAREA = 41.0  # square metres of roof\n\n\ndef litres(millimetres: float) -> float:\n\
    \x20   return AREA * millimetres * 0.9\n\n\nif __name__ == \"__main__\":\n    for rain in (2, 5, 12):\n        print(f\"{rain} mm: {litres(rain):.0f} l\")\n";
const PAGE: &str = "<!doctype html>\n<meta charset=\"utf-8\">\n<title>Our street party</title>\n<h1>Our street party</h1>\n<p>Saturday from three, in the yard. \
    Bring a chair and something to share.</p>\n";

/// Where each lies, and what it holds.
pub fn papers(dice: &mut Dice) -> Vec<(&'static str, Vec<u8>)> {
    let bill: Vec<String> = [
        "Bicycle workshop Anker",
        "Harbour street 4",
        "",
        "New chain and sprocket        58.00",
        "Brake pads, front             14.50",
        "Work, 1.5 h                   72.00",
        "",
        "Sum                          144.50",
        "",
        "Paid in cash. Thank you!",
    ]
    .map(str::to_owned)
    .into();
    let policy: Vec<String> = [
        "Policy 4471-203",
        "Household contents up to 60,000",
        "Bicycles up to 3,000 each",
        "Deductible: 150 a case",
        "Valid until cancelled, three months before the end of a year",
    ]
    .map(str::to_owned)
    .into();
    vec![
        ("Documents/House/Insurance.pdf", pdf("Household insurance", &policy)),
        ("Documents/House/Costs this year.csv", costs(dice).into_bytes()),
        ("Documents/House/Letter to Mrs Lund.txt", LETTER.into()),
        ("Documents/Bills/Bicycle.pdf", pdf("Invoice 2026-0318", &bill)),
        ("Documents/Recipes/Pancakes.md", PANCAKES.into()),
        ("Documents/Recipes/Leek soup.md", SOUP.into()),
        ("Documents/Coast trip.md", TRIP.into()),
        ("Documents/Ideas.txt", IDEAS.into()),
        ("Documents/rain.py", CODE.into()),
        ("Documents/Street party.html", PAGE.into()),
    ]
}
