//! Series as Prometheus's remote write 1.0 takes them: protocol buffers in snappy's block format.

use anyhow::ensure;

/// Labels sorted by name, and samples by time, in milliseconds since 1970.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub labels: Vec<(String, String)>,
    pub samples: Vec<(i64, f64)>,
}

/// Sends them to the Prometheus at `url`; each value comes there with its very bits.
///
/// # Errors
/// When it doesn't take them all.
pub fn send(url: &str, series: &[Written]) -> anyhow::Result<()> {
    let answer = reqwest::blocking::Client::new()
        .post(format!("{url}/api/v1/write"))
        .header("Content-Type", "application/x-protobuf")
        .header("Content-Encoding", "snappy")
        .header("X-Prometheus-Remote-Write-Version", "0.1.0")
        .body(encode(series))
        .send()?;
    let status = answer.status();
    ensure!(status.is_success(), "remote write: {status}: {}", answer.text()?);
    Ok(())
}

fn encode(series: &[Written]) -> Vec<u8> {
    let mut request = Vec::new();
    for one in series {
        bytes(1, &time_series(one), &mut request);
    }
    snappy(&request)
}

fn time_series(series: &Written) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in &series.labels {
        let mut label = Vec::new();
        bytes(1, name.as_bytes(), &mut label);
        bytes(2, value.as_bytes(), &mut label);
        bytes(1, &label, &mut out);
    }
    for (at_ms, value) in &series.samples {
        let mut sample = vec![1 << 3 | 1];
        sample.extend(value.to_bits().to_le_bytes());
        sample.push(2 << 3);
        varint(at_ms.cast_unsigned(), &mut sample);
        bytes(2, &sample, &mut out);
    }
    out
}

fn bytes(field: u8, content: &[u8], out: &mut Vec<u8>) {
    out.push(field << 3 | 2);
    varint(content.len() as u64, out);
    out.extend(content);
}

fn varint(mut number: u64, out: &mut Vec<u8>) {
    while number > 0x7f {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// One literal and nothing that refers back: larger than need be, and as valid as any.
fn snappy(content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 16);
    varint(content.len() as u64, &mut out);
    for part in content.chunks(1 << 16) {
        out.push(61 << 2);
        out.extend(((part.len() - 1) as u16).to_le_bytes());
        out.extend(part);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_the_bytes_that_the_format_says() {
        let up = Written {
            labels: vec![("a".into(), "b".into())],
            samples: vec![(300, 1.0)],
        };
        let sample = [&[0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 0xac, 0x02][..]].concat();
        let wanted = [&[0x0a, 6, 0x0a, 1, b'a', 0x12, 1, b'b', 0x12, 12][..], &sample].concat();
        assert_eq!(time_series(&up), wanted);
        assert_eq!(snappy(b"xyz"), [3, 61 << 2, 2, 0, b'x', b'y', b'z']);
    }
}
