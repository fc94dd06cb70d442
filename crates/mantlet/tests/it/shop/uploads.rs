//! Rows 51 and 56: bodies that are more than they look, and forms with more than one reading.

use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use super::{COMPATIBLE, STRICT, Shop};

const PICTURE: &str = "/products/1/picture";
const FORM: &str = "Content-Type: multipart/form-data; boundary=b\r\n";

fn picture(file_name: &str) -> String {
    format!(
        "--b\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"{file_name}\"\r\n\
         Content-Type: text/plain\r\n\r\nx\r\n"
    )
}

#[test]
fn row_51_a_gzip_bomb_does_not_reach_the_app() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    (0..100).for_each(|_| encoder.write_all(&vec![0; 1 << 20]).expect("memory"));
    let bomb = encoder.finish().expect("memory");
    assert!(bomb.len() < 128 << 10, "about 1000:1");
    let lines = "Content-Type: application/json\r\nContent-Encoding: gzip\r\n";
    let by_a_line = format!("{COMPATIBLE}[encoding]\nmax-ratio = 100\n");
    for config in [STRICT, &by_a_line] {
        let shop = Shop::open(config);
        shop.unreached(|| shop.refused(&shop.ask("POST", "/orders", lines, &bomb), 413, "body-bomb"));
    }
}

#[test]
fn row_56_forms_that_nobody_should_read_do_not_reach_the_app() {
    let end = "--b--\r\n";
    let many = picture("x.png").repeat(10_000) + end;
    let split = picture("x\r\nX-Evil: 1\r\nX-More: \"") + end;
    let two = "Content-Type: multipart/form-data; boundary=b; boundary=c\r\n";
    for config in [COMPATIBLE, STRICT] {
        let shop = Shop::open(config);
        let sent = shop.ask("POST", PICTURE, FORM, (picture("bow.png") + end).as_bytes());
        assert_eq!(sent.status, 201, "{sent:?}");
        shop.unreached(|| {
            for (lines, body, status, code) in [
                (FORM, &many, 413, "upload-too-many-parts"),
                (FORM, &split, 400, "multipart-malformed"),
                (two, &(picture("x.png") + end), 400, "multipart-malformed"),
            ] {
                shop.refused(&shop.ask("POST", PICTURE, lines, body.as_bytes()), status, code);
            }
        });
    }
}
