//! WebSocket frames (RFC 6455, section 5), as far as a server without extensions needs them.
//!
//! The code is our own because every message passes through it: all records that wait for a client become one
//! frame in one buffer, and data from a client is handed on as it arrives, so that an idle connection keeps
//! no buffer.

use signalr::encoding::Encoding;
use signalr::record::Record;

/// The most bytes of a frame that holds several records. In a larger frame, the client would only wait longer
/// for the first record.
const FRAME: usize = 16 * 1024;

/// The most bytes of a control frame's content (section 5.5).
const MOST_CONTROL: usize = 125;

/// An event in the frames of a client.
#[derive(Debug, PartialEq, Eq)]
pub enum FrameEvent {
    /// A part of a message. The end of a message is not reported, because records have ends of their own.
    Data(Vec<u8>),
    /// A ping, which has to be answered by a pong with the same content.
    Ping(Vec<u8>),
    /// A close: the client sends nothing more.
    Close,
}

/// A violation of the WebSocket protocol by a client; the connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Section 5.1: clients have to mask their frames.
    #[error("a frame is not masked")]
    NotMasked,
    /// Section 5.2: reserved bits belong to extensions, and none was negotiated.
    #[error("a frame has reserved bits")]
    Reserved,
    /// Section 5.2: the opcode is not defined.
    #[error("a frame has an unknown opcode")]
    Opcode,
    /// Section 5.5: control frames are not fragmented, and carry at most 125 bytes.
    #[error("a control frame is fragmented or too long")]
    Control,
    /// Section 5.4: the fragments of a message are out of order.
    #[error("a continuation has no beginning, or a message begins within another one")]
    Continuation,
    /// Sections 5.5.1 and 7.4: a close carries nothing, or a status code and a reason.
    #[error("a close has half a status code, a reserved one, or a reason that is not UTF-8")]
    Close,
    /// Section 5.6: a text message is UTF-8 as a whole; a character may span its frames.
    #[error("a text is not UTF-8")]
    Text,
    /// Section 5.2: the most significant bit of a length is 0.
    #[error("a frame's length is out of range")]
    Length,
}

/// Reads frames from bytes that arrive in parts of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a header whose rest has not arrived; at most 14 bytes.
    head: Vec<u8>,
    /// The frame whose content is arriving.
    frame: Option<Frame>,
    /// True within a fragmented message.
    fragmented: bool,
    text: Text,
}

/// Checks that a message is UTF-8, part by part.
#[derive(Debug, Clone, Copy, Default)]
struct Text {
    /// True if the message is a text, and has to be UTF-8.
    applies: bool,
    /// The first bytes of a character whose rest has not arrived.
    begun: [u8; 3],
    length: u8,
}

impl Text {
    fn take(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        if !self.applies {
            return Ok(());
        }
        while self.length > 0 {
            let [next, later @ ..] = bytes else { return Ok(()) };
            bytes = later;
            let length = usize::from(self.length);
            let mut character = [0; 4];
            character[..length].copy_from_slice(&self.begun[..length]);
            character[length] = *next;
            self.begin(&character[..=length])?;
        }
        self.begin(bytes)
    }

    /// Checks `bytes`, and keeps an incomplete character at their end.
    fn begin(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.length = 0;
        let Err(error) = std::str::from_utf8(bytes) else { return Ok(()) };
        let begun = &bytes[error.valid_up_to()..];
        if error.error_len().is_some() || begun.len() > self.begun.len() {
            return Err(FrameError::Text);
        }
        self.begun[..begun.len()].copy_from_slice(begun);
        self.length = u8::try_from(begun.len()).unwrap_or_default();
        Ok(())
    }
}

#[derive(Debug)]
struct Frame {
    kind: Kind,
    mask: [u8; 4],
    /// The number of content bytes that have arrived, which gives the position in the mask.
    arrived: u64,
    missing: u64,
    /// The content so far; of control frames only.
    content: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Data,
    Ping,
    Pong,
    Close,
}

impl Decoder {
    /// Reads bytes that arrived, and calls `on_event` for each event, in order.
    ///
    /// # Errors
    /// A [`FrameError`]; nothing can be read after it.
    pub fn feed(&mut self, mut bytes: &[u8], mut on_event: impl FnMut(FrameEvent)) -> Result<(), FrameError> {
        loop {
            let frame = match &mut self.frame {
                Some(frame) => frame,
                None if bytes.is_empty() => return Ok(()),
                none => {
                    let Some((frame, opcode)) = read_head(&mut self.head, &mut bytes, &mut self.fragmented)?
                    else {
                        return Ok(());
                    };
                    if let 1 | 2 = opcode {
                        self.text = Text { applies: opcode == 1, ..Text::default() };
                    }
                    none.insert(frame)
                }
            };
            frame.take(&mut bytes, &mut self.text, &mut on_event)?;
            if frame.missing > 0 {
                return Ok(());
            }
            if frame.kind == Kind::Data && !self.fragmented && self.text.length > 0 {
                return Err(FrameError::Text);
            }
            if let Some(event) = self.frame.take().map(Frame::end).transpose()?.flatten() {
                on_event(event);
            }
        }
    }
}

/// Takes a header from `bytes`, of which `head` may hold an earlier part. Returns the frame and its opcode,
/// or `None` if the header is incomplete.
fn read_head(
    head: &mut Vec<u8>,
    bytes: &mut &[u8],
    fragmented: &mut bool,
) -> Result<Option<(Frame, u8)>, FrameError> {
    let mut need = |head: &mut Vec<u8>, length: usize| {
        let missing = length.saturating_sub(head.len()).min(bytes.len());
        let (now, later) = bytes.split_at(missing);
        head.extend_from_slice(now);
        *bytes = later;
        head.len() >= length
    };
    if !need(head, 2) {
        return Ok(None);
    }
    let (first, second) = (head[0], head[1]);
    if first & 0x70 != 0 {
        return Err(FrameError::Reserved);
    }
    if second & 0x80 == 0 {
        return Err(FrameError::NotMasked);
    }
    let (is_last, opcode, short) = (first & 0x80 != 0, first & 0x0f, usize::from(second & 0x7f));
    let length_bytes = match short {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    if opcode >= 8 && (!is_last || short > MOST_CONTROL) {
        return Err(FrameError::Control);
    }
    if !need(head, 2 + length_bytes + 4) {
        return Ok(None);
    }
    let length = match &head[2..2 + length_bytes] {
        [] => short as u64,
        bytes => bytes.iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte)),
    };
    if length >> 63 != 0 {
        return Err(FrameError::Length);
    }
    let kind = match opcode {
        0 if *fragmented => Kind::Data,
        1 | 2 if !*fragmented => Kind::Data,
        0..=2 => return Err(FrameError::Continuation),
        8 => Kind::Close,
        9 => Kind::Ping,
        10 => Kind::Pong,
        _ => return Err(FrameError::Opcode),
    };
    if kind == Kind::Data {
        *fragmented = !is_last;
    }
    let mut mask = [0; 4];
    mask.copy_from_slice(&head[2 + length_bytes..]);
    *head = Vec::new();
    Ok(Some((Frame { kind, mask, arrived: 0, missing: length, content: Vec::new() }, opcode)))
}

impl Frame {
    /// Takes the content of this frame from `bytes`.
    fn take(
        &mut self,
        bytes: &mut &[u8],
        text: &mut Text,
        on_event: &mut impl FnMut(FrameEvent),
    ) -> Result<(), FrameError> {
        let now = usize::try_from(self.missing).map_or(bytes.len(), |missing| missing.min(bytes.len()));
        if now == 0 {
            return Ok(());
        }
        let (masked, later) = bytes.split_at(now);
        *bytes = later;
        let mut plain = unmask(masked, self.mask, self.arrived);
        self.arrived += now as u64;
        self.missing -= now as u64;
        match self.kind {
            Kind::Data => {
                let before = *text;
                if let Err(fault) = text.take(&plain) {
                    // The data before the first invalid byte is handed on, wherever the frame was cut into
                    // parts.
                    *text = before;
                    let is_right = |byte: &&u8| text.take(std::slice::from_ref(*byte)).is_ok();
                    plain.truncate(plain.iter().take_while(is_right).count());
                    if !plain.is_empty() {
                        on_event(FrameEvent::Data(plain));
                    }
                    return Err(fault);
                }
                on_event(FrameEvent::Data(plain));
            }
            Kind::Ping | Kind::Pong | Kind::Close => self.content.extend_from_slice(&plain),
        }
        Ok(())
    }

    fn end(self) -> Result<Option<FrameEvent>, FrameError> {
        match self.kind {
            Kind::Data | Kind::Pong => Ok(None),
            Kind::Ping => Ok(Some(FrameEvent::Ping(self.content))),
            Kind::Close if is_close(&self.content) => Ok(Some(FrameEvent::Close)),
            Kind::Close => Err(FrameError::Close),
        }
    }
}

/// True if the content of a close is empty, or a code that may be sent (section 7.4) and a reason in UTF-8.
fn is_close(content: &[u8]) -> bool {
    match content.split_first_chunk() {
        Some((code, reason)) => {
            let may_be_sent = matches!(u16::from_be_bytes(*code), 1000..=1003 | 1007..=1014 | 3000..=4999);
            may_be_sent && std::str::from_utf8(reason).is_ok()
        }
        None => content.is_empty(),
    }
}

/// Removes the mask (section 5.3). `offset` is the number of bytes of the frame before these.
fn unmask(masked: &[u8], mut mask: [u8; 4], offset: u64) -> Vec<u8> {
    mask.rotate_left((offset % 4) as usize);
    let mut plain = masked.to_vec();
    let word = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = plain.chunks_exact_mut(8);
    for bytes in &mut words {
        let number = u64::from_ne_bytes(bytes.try_into().expect("a chunk has eight bytes")) ^ word;
        bytes.copy_from_slice(&number.to_ne_bytes());
    }
    for (byte, key) in words.into_remainder().iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
    plain
}

/// The kinds of frames that the hub sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    /// A text in UTF-8.
    Text = 1,
    /// Bytes.
    Binary = 2,
    /// The end of the connection, with a code and a reason.
    Close = 8,
    /// The answer to a ping.
    Pong = 10,
}

impl Opcode {
    /// The kind of frame that carries records of an encoding.
    pub fn of(encoding: Encoding) -> Self {
        match encoding {
            Encoding::Json => Self::Text,
            Encoding::MessagePack => Self::Binary,
        }
    }
}

/// Writes the header of an unfragmented frame of the hub, which is not masked.
pub fn put_head(buffer: &mut Vec<u8>, opcode: Opcode, length: usize) {
    buffer.push(0x80 | opcode as u8);
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ 0..126), _) => buffer.push(short),
        (_, Ok(medium)) => {
            buffer.push(126);
            buffer.extend_from_slice(&medium.to_be_bytes());
        }
        (_, Err(_)) => {
            buffer.push(127);
            buffer.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
}

/// Writes an unfragmented frame of the hub.
pub fn put(buffer: &mut Vec<u8>, opcode: Opcode, content: &[u8]) {
    put_head(buffer, opcode, content.len());
    buffer.extend_from_slice(content);
}

/// Writes records, with several neighbours in one frame: `HubProtocol.md` allows any number of records in a
/// message.
pub fn put_records(buffer: &mut Vec<u8>, records: &[Record], encoding: Encoding) {
    let mut rest = records;
    while let Some(first) = rest.first() {
        let mut length = first.len();
        let more = rest[1..].iter().take_while(|record| {
            let fits = length + record.len() <= FRAME;
            length += if fits { record.len() } else { 0 };
            fits
        });
        let (together, later) = rest.split_at(1 + more.count());
        put_head(buffer, Opcode::of(encoding), length);
        for record in together {
            buffer.extend_from_slice(record);
        }
        rest = later;
    }
}

/// Writes a close frame (section 5.5.1).
pub fn put_close(buffer: &mut Vec<u8>, code: u16, reason: &str) {
    let reason = &reason.as_bytes()[..reason.len().min(MOST_CONTROL - 2)];
    put_head(buffer, Opcode::Close, 2 + reason.len());
    buffer.extend_from_slice(&code.to_be_bytes());
    buffer.extend_from_slice(reason);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's frame.
    fn masked(first: u8, content: &[u8]) -> Vec<u8> {
        let mut frame = Vec::new();
        put_head(&mut frame, Opcode::Text, content.len());
        frame[0] = first;
        frame[1] |= 0x80;
        let mask = [1, 2, 3, 250];
        frame.extend_from_slice(&mask);
        frame.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
        frame
    }

    /// Returns the events in `bytes`, of which `part` bytes arrive at a time. Neighbouring data is joined.
    fn events(bytes: &[u8], part: usize) -> Result<Vec<FrameEvent>, FrameError> {
        let mut decoder = Decoder::default();
        let mut events: Vec<FrameEvent> = Vec::new();
        for chunk in bytes.chunks(part) {
            decoder.feed(chunk, |event| match (events.last_mut(), event) {
                (Some(FrameEvent::Data(all)), FrameEvent::Data(more)) => all.extend(more),
                (_, event) => events.push(event),
            })?;
        }
        Ok(events)
    }

    #[test]
    fn frames_of_all_lengths_arrive_in_any_portions() {
        for length in [0, 1, 7, 8, 9, 125, 126, 65_535, 65_536] {
            let content: Vec<u8> = (0..=250_u8).cycle().take(length).collect();
            let bytes = [masked(0x82, &content), masked(0x89, b"are you there"), masked(0x88, b"")].concat();

            for part in [1, 3, 8, 1000, bytes.len()] {
                let mut expected = vec![FrameEvent::Ping(b"are you there".to_vec()), FrameEvent::Close];
                if length > 0 {
                    expected.insert(0, FrameEvent::Data(content.clone()));
                }
                assert_eq!(events(&bytes, part), Ok(expected), "{length} bytes, {part} at a time");
            }
        }
    }

    #[test]
    fn a_fragmented_message_may_have_control_frames_within_it() {
        let bytes =
            [masked(0x01, b"a"), masked(0x8a, b"pong"), masked(0x00, b"b"), masked(0x80, b"c")].concat();

        assert_eq!(events(&bytes, 1), Ok(vec![FrameEvent::Data(b"abc".to_vec())]));
    }

    #[test]
    fn what_a_client_must_not_send() {
        let fault = |bytes: &[u8]| events(bytes, 1).unwrap_err();

        assert_eq!(fault(&[0x81, 0x01, b'a']), FrameError::NotMasked);
        assert_eq!(fault(&masked(0xc1, b"a")), FrameError::Reserved);
        assert_eq!(fault(&masked(0x83, b"a")), FrameError::Opcode);
        assert_eq!(fault(&masked(0x09, b"a")), FrameError::Control);
        assert_eq!(fault(&masked(0x89, &[0; 126])), FrameError::Control);
        for close in [&[3][..], &1005_u16.to_be_bytes(), &999_u16.to_be_bytes(), b"\x03\xe8\xff"] {
            assert_eq!(fault(&masked(0x88, close)), FrameError::Close);
        }
        assert_eq!(events(&masked(0x88, b"\x03\xe8bye"), 1), Ok(vec![FrameEvent::Close]));
        assert_eq!(fault(&masked(0x80, b"a")), FrameError::Continuation);
        assert_eq!(fault(&[masked(0x01, b"a"), masked(0x81, b"b")].concat()), FrameError::Continuation);
        assert_eq!(
            fault(&[0x82, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0]),
            FrameError::Length
        );
    }

    #[test]
    fn a_text_is_utf_8_wherever_it_is_cut() {
        let text = "aü€🦀z".as_bytes();
        for part in 1..=text.len() {
            assert_eq!(events(&masked(0x81, text), part), Ok(vec![FrameEvent::Data(text.to_vec())]));
        }
        for cut in 0..=text.len() {
            let (first, rest) = text.split_at(cut);
            let bytes = [masked(0x01, first), masked(0x89, b"\xff"), masked(0x80, rest)].concat();
            let received = events(&bytes, 1).unwrap();
            let data =
                |event: &FrameEvent| if let FrameEvent::Data(bytes) = event { bytes.clone() } else { vec![] };
            assert_eq!(received.iter().flat_map(data).collect::<Vec<_>>(), text);
        }
        for wrong in
            [&b"a\xff"[..], b"\xc3", b"\xed\xa0\x80", b"\xf0\x9f\xa6", b"\xf4\x90\x80\x80", b"\xc0\xaf"]
        {
            for part in 1..=wrong.len() + 6 {
                assert_eq!(events(&masked(0x81, wrong), part), Err(FrameError::Text), "{wrong:?}");
            }
            // A binary message may be any bytes, also after such a text has begun.
            assert!(events(&masked(0x82, wrong), 1).is_ok());
        }
    }

    #[test]
    fn the_hub_s_frames() {
        let head = |length| {
            let mut buffer = Vec::new();
            put_head(&mut buffer, Opcode::Binary, length);
            buffer
        };
        assert_eq!(head(125), [0x82, 125]);
        assert_eq!(head(126), [0x82, 126, 0, 126]);
        assert_eq!(head(65_535), [0x82, 126, 255, 255]);
        assert_eq!(head(65_536), [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]);

        let mut buffer = Vec::new();
        put_close(&mut buffer, 1001, "bye");
        assert_eq!(buffer, [0x88, 5, 3, 233, b'b', b'y', b'e']);
    }

    #[test]
    fn records_share_frames_up_to_a_size_and_keep_their_order() {
        let large = "x".repeat(FRAME);
        let records: Vec<_> = ["a\x1e", "b\x1e", &large, "c\x1e", "d\x1e"]
            .map(|text| Record::new(text.as_bytes().to_vec()))
            .into();

        let mut buffer = Vec::new();
        put_records(&mut buffer, &records, Encoding::Json);

        let mut expected = Vec::new();
        for content in ["a\x1eb\x1e", &large, "c\x1ed\x1e"] {
            put(&mut expected, Opcode::Text, content.as_bytes());
        }
        assert_eq!(buffer, expected);
    }
}
