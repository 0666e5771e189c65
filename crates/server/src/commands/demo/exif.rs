//! What a camera writes beside a picture (Exif 2.32 §4.6): when and where it was taken, and with what.

/// When, where and with what a picture was taken.
pub struct Taken {
    /// `YYYY:MM:DD HH:MM:SS`, where the camera was.
    pub at: String,
    pub hour: u32,
    /// Degrees, north and east.
    pub place: Option<(f64, f64)>,
    pub model: &'static str,
}

/// A field of a TIFF directory: its tag, its type, how many values, and their bytes.
struct Field(u16, u16, u32, Vec<u8>);

const ASCII: u16 = 2;
const SHORT: u16 = 3;
const LONG: u16 = 4;
const RATIONAL: u16 = 5;

fn text(tag: u16, text: &str) -> Field {
    let bytes = [text.as_bytes(), b"\0"].concat();
    Field(tag, ASCII, bytes.len() as u32, bytes)
}

fn ratios(tag: u16, values: &[(u32, u32)]) -> Field {
    let bytes = values.iter().flat_map(|(over, under)| [over.to_le_bytes(), under.to_le_bytes()].concat()).collect();
    Field(tag, RATIONAL, values.len() as u32, bytes)
}

fn long(tag: u16, value: u32) -> Field {
    Field(tag, LONG, 1, value.to_le_bytes().to_vec())
}

/// A directory that begins at `at`: its fields, and behind them what does not fit into four bytes.
fn directory(at: u32, fields: &[Field]) -> Vec<u8> {
    let mut head = (fields.len() as u16).to_le_bytes().to_vec();
    let mut rest: Vec<u8> = Vec::new();
    let behind = at + 2 + 12 * fields.len() as u32 + 4;
    for Field(tag, kind, count, bytes) in fields {
        head.extend_from_slice(&tag.to_le_bytes());
        head.extend_from_slice(&kind.to_le_bytes());
        head.extend_from_slice(&count.to_le_bytes());
        let mut value = bytes.clone();
        if bytes.len() > 4 {
            value = (behind + rest.len() as u32).to_le_bytes().to_vec();
            rest.extend_from_slice(bytes);
            rest.resize(rest.len().next_multiple_of(2), 0);
        }
        value.resize(4, 0);
        head.extend_from_slice(&value);
    }
    head.extend_from_slice(&[0; 4]);
    [head, rest].concat()
}

/// Degrees, minutes, and hundredths of seconds.
fn degrees(value: f64) -> [(u32, u32); 3] {
    let hundredths = (value.abs() * 360_000.0).round() as u32;
    [(hundredths / 360_000, 1), (hundredths / 6_000 % 60, 1), (hundredths % 6_000, 100)]
}

/// The content of the segment APP1.
pub fn exif(taken: &Taken) -> Vec<u8> {
    let details = || {
        let size = Field(0xa002, SHORT, 1, super::picture::WIDTH.to_le_bytes().to_vec());
        let height = Field(0xa003, SHORT, 1, super::picture::HEIGHT.to_le_bytes().to_vec());
        vec![ratios(0x829d, &[(18, 10)]), text(0x9003, &taken.at), text(0x9004, &taken.at), size, height]
    };
    let place = |(north, east): (f64, f64)| {
        vec![
            Field(0, 1, 4, vec![2, 3, 0, 0]),
            text(1, if north < 0.0 { "S" } else { "N" }),
            ratios(2, &degrees(north)),
            text(3, if east < 0.0 { "W" } else { "E" }),
            ratios(4, &degrees(east)),
        ]
    };
    let first = |details: u32, place: u32| {
        let mut fields =
            vec![text(0x010f, "Holm"), text(0x0110, taken.model), Field(0x0112, SHORT, 1, vec![1, 0]), text(0x0132, &taken.at), long(0x8769, details)];
        if taken.place.is_some() {
            fields.push(long(0x8825, place));
        }
        fields
    };
    // The directories' lengths do not depend on what the pointers in them say.
    let details_at = 8 + directory(8, &first(0, 0)).len() as u32;
    let place_at = details_at + directory(details_at, &details()).len() as u32;
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend(directory(8, &first(details_at, place_at)));
    tiff.extend(directory(details_at, &details()));
    if let Some(at) = taken.place {
        tiff.extend(directory(place_at, &place(at)));
    }
    [b"Exif\0\0".as_slice(), &tiff].concat()
}
