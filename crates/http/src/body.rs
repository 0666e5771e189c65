//! Request bodies under a budget of bytes and time (T10).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;

/// A body that sends nothing for this long is given up.
const IDLE: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyError {
    TooLarge,
    /// The client stopped sending.
    TimedOut,
    /// The connection broke, or the body was shorter than announced.
    Broken,
}

/// The next piece of a body; None at its end.
pub async fn next<B>(body: &mut B) -> Result<Option<Bytes>, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = tokio::time::timeout(IDLE, body.frame()).await.map_err(|_| BodyError::TimedOut)?;
        match frame {
            None => return Ok(None),
            Some(Err(_)) => return Err(BodyError::Broken),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data()
                    && !data.is_empty()
                {
                    return Ok(Some(data));
                }
            }
        }
    }
}

/// A whole body of at most `max` bytes.
pub async fn whole<B>(body: &mut B, max: usize) -> Result<Vec<u8>, BodyError>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let announced = body.size_hint().lower();
    if announced > max as u64 {
        return Err(BodyError::TooLarge);
    }
    let mut out = Vec::with_capacity(announced as usize);
    while let Some(data) = next(body).await? {
        if out.len() + data.len() > max {
            return Err(BodyError::TooLarge);
        }
        out.extend_from_slice(&data);
    }
    Ok(out)
}
