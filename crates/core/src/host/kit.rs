//! What the host remembers of its recovery kit: whom the root key is sealed to, and whether anybody proved that they
//! hold the words. Knows neither the words nor the age file.

use super::Host;
use crate::age::Recipient;
use crate::env::Timestamp;
use crate::error::{Error, Result};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kit {
    pub recipient: Recipient,
    pub made: Timestamp,
    /// When its words last opened the age file.
    pub proven: Option<Timestamp>,
}

impl Host {
    pub fn kit(&self) -> Result<Option<Kit>> {
        self.catalog.reading(|tx| {
            tx.first("SELECT recipient, made, proven FROM kit", &[], |r| {
                let recipient = Recipient::parse(r.text(0)?).ok_or_else(|| Error::Corrupt("the kit's recipient is not one".into()))?;
                Ok(Kit { recipient, made: Timestamp(r.int(1)?), proven: r.opt_int(2)?.map(Timestamp) })
            })
        })
    }

    /// From now on the kit is this one, and nobody has proven it.
    pub fn set_kit(&self, recipient: &Recipient) -> Result<()> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| {
            tx.execute("DELETE FROM kit", &[])?;
            tx.execute("INSERT INTO kit (recipient, made) VALUES (?1, ?2)", &[(&recipient.text()).into(), now.into()])?;
            Ok(())
        })
    }

    /// Somebody had the words just now.
    pub fn note_kit_proven(&self) -> Result<()> {
        let now = self.env.now().0;
        self.catalog.writing(|tx| tx.execute("UPDATE kit SET proven = ?1", &[now.into()]).map(|_| ()))
    }
}
