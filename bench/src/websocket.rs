//! As much of WebSocket (RFC 6455) as a load generator and a null server need. Pure.

/// This key and [`ACCEPT`] are the example of RFC 6455, section 1.3: nothing here depends on a fresh key.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
/// The answer to [`KEY`].
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
/// Any mask will do here; browsers draw one for each frame.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The kind of a frame (section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn read(bits: u8) -> Option<Self> {
        [
            (0, Self::Continuation),
            (1, Self::Text),
            (2, Self::Binary),
            (8, Self::Close),
            (9, Self::Ping),
            (10, Self::Pong),
        ]
        .into_iter()
        .find_map(|(code, opcode)| (code == bits).then_some(opcode))
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }
}

/// A whole frame at the start of received bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: Opcode,
    /// Whether it is the last frame of its message.
    pub(crate) last: bool,
    /// The index at which the payload starts.
    pub(crate) head: usize,
    /// The index at which the next frame starts.
    pub(crate) end: usize,
    pub(crate) mask: Option<[u8; 4]>,
}

/// The frame at the start of `bytes`, or `None` if its end has not arrived.
///
///
/// # Errors
///
/// The reason why this is no frame, in a few words.
pub(crate) fn frame(bytes: &[u8]) -> Result<Option<Frame>, &'static str> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (head, length) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, _) if rest.len() >= 8 => (10, rest[..8].iter().fold(0, |l, b| l << 8 | u64::from(*b))),
        (126 | 127, _) => return Ok(None),
        (short, _) => (2, u64::from(short)),
    };
    let opcode = Opcode::read(first & 0x0f).ok_or("a frame of an unknown kind")?;
    if first & 0x70 != 0 {
        return Err("a frame of an extension that was not asked for");
    }
    let (head, mask) = match (second & 0x80 != 0, bytes.get(head..head + 4)) {
        (false, _) => (head, None),
        (true, Some(mask)) => (head + 4, Some([mask[0], mask[1], mask[2], mask[3]])),
        (true, None) => return Ok(None),
    };
    let end = usize::try_from(length).ok().and_then(|l| head.checked_add(l)).ok_or("a frame without end")?;
    let whole = bytes.len() >= end;
    Ok(whole.then_some(Frame { opcode, last: first & 0x80 != 0, head, end, mask }))
}

/// Appends the head of a server's frame.
pub(crate) fn put_head(out: &mut Vec<u8>, opcode: Opcode, length: usize) {
    put_head_with(out, opcode, length, 0);
}

fn put_head_with(out: &mut Vec<u8>, opcode: Opcode, length: usize, mask_bit: u8) {
    out.push(0x80 | opcode.bits());
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => out.push(mask_bit | short),
        (_, Ok(medium)) => {
            out.push(mask_bit + 126);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            out.push(mask_bit + 127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Appends a client's frame, masked as section 5.3 demands.
pub(crate) fn put_masked(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    put_head_with(out, opcode, payload.len(), 0x80);
    out.extend_from_slice(&MASK);
    let start = out.len();
    out.extend_from_slice(payload);
    apply(MASK, &mut out[start..]);
}

/// Masks or unmasks a payload.
pub(crate) fn apply(mask: [u8; 4], payload: &mut [u8]) {
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// A client's request for an upgrade.
pub(crate) fn request(path: &str, host: &impl std::fmt::Display) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
    )
    .into_bytes()
}

/// A server's answer to [`request`].
pub(crate) fn response() -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n\r\n"
    )
    .into_bytes()
}

/// The index at which frames start, or `None` until the whole answer has arrived.
///
///
/// # Errors
///
/// The first line of an answer that is no upgrade.
pub(crate) fn upgraded(answer: &[u8]) -> Result<Option<usize>, String> {
    let Some(end) = answer.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&answer[..end]);
    if head.starts_with("HTTP/1.1 101 ") && head.contains(ACCEPT) {
        return Ok(Some(end + 4));
    }
    Err(head.lines().next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_frames_can_be_read_at_every_length() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let payload = vec![b'x'; length];
            let mut bytes = Vec::new();
            put_masked(&mut bytes, Opcode::Binary, &payload);

            let frame = frame(&bytes).unwrap().unwrap();
            assert_eq!((frame.opcode, frame.last, frame.end), (Opcode::Binary, true, bytes.len()));
            apply(frame.mask.unwrap(), &mut bytes[frame.head..]);
            assert_eq!(bytes[frame.head..], payload);
        }
    }

    #[test]
    fn a_frame_is_waited_for_until_its_last_byte() {
        let mut bytes = Vec::new();
        put_head(&mut bytes, Opcode::Text, 300);
        bytes.extend_from_slice(&[b'x'; 300]);

        for cut in 0..bytes.len() {
            assert_eq!(frame(&bytes[..cut]), Ok(None), "{cut}");
        }
        assert_eq!(frame(&bytes).unwrap().unwrap().end, 304);
    }

    #[test]
    fn only_an_upgrade_is_one() {
        assert_eq!(upgraded(&response()), Ok(Some(response().len())));
        assert_eq!(upgraded(&response()[..40]), Ok(None));
        assert_eq!(
            upgraded(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
            Err("HTTP/1.1 503 Service Unavailable".to_owned())
        );
    }
}
