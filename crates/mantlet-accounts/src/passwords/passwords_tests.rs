use super::*;

/// `pässword of Ada`, as others have hashed it: Django 5.2, passlib 1.7 and Werkzeug 3.1 themselves.
const PASSWORD: &str = "p\u{e4}ssword of Ada";
const FOREIGN: [(&str, &str); 15] = [
    ("pbkdf2 Two56 1000", "pbkdf2_sha256$1000$saltsalt$5ltAg0HYYAX+6EZo1XDiaswgYBlTKJNea4/LqYj8Yes="),
    ("pbkdf2 One 1000", "pbkdf2_sha1$1000$saltsalt$FTCjiBfxzx0sots/BvQsTMYmBbY="),
    (
        "scrypt 10 8 1",
        "scrypt$1024$rlUGusKDHulxcOdyv9dYE5$8$1$zvSTYdGpV7F9+1z/zPq7RsENcQjxc7ixXv3uJxUCRy5J7jqe56C+GxY7vRFJ7hJblI01raFJYz+2ANb4pgybGw==",
    ),
    ("bcrypt 4", "bcrypt_sha256$$2b$04$luG4risbY5JLYc/brSW.Ou/dWW.l0urntJHVUljpIuwfjf17HlU0S"),
    ("bcrypt 4", "bcrypt$$2b$04$NQUCiiOieWztCHu8i8Lgeuh33fnmOG0fHqg.fmvrycvdLeQqIYf36"),
    (
        "argon2id m=64,t=2,p=2",
        "argon2$argon2id$v=19$m=64,t=2,p=2$NVUxM2Nlc3I3Z1AwRWVDeHhUVGUzOQ$J2KN6JK5kl698bQ9UEb6HBn8X1LPwuvpIGn/erXwsjE",
    ),
    (
        "pbkdf2 Two56 1000",
        "$pbkdf2-sha256$1000$5DwHQMi5N0bI.d.bs9Zaqw$JjlCY6/vMzauynIHOg/uVDt4VhIYgph5fcbpOQrPst0",
    ),
    (
        "pbkdf2 Five12 1000",
        "$pbkdf2-sha512$1000$TmmtFSJkbG1tDcF4j/Feaw$ch9BSZn5N6TrdmN5IcpzvkThKqzygL6.402c7DlZVFmUa9KSeAcv/lj61ieCualPsfFhU93OqIgtVlfUjNoGSA",
    ),
    ("pbkdf2 One 1000", "$pbkdf2$1000$hxDCuJdSitGaM2bsHcM4pw$KHt7PAwxzwHAzX6rI9Iwwq.5ZjQ"),
    ("bcrypt 4", "$2b$04$.ZvKDhzIlVLtxaLDjarXQumIKuXGGV.h4GxJNAMzkn.xZ8YRF338i"),
    ("bcrypt 4", "$2y$04$Ri3uM8gxjFNeC7Fu9Ck0TuHJ1t9JDSRWgM376IQTTeAmhyqWEx7EK"),
    (
        "scrypt 4 8 1",
        "$scrypt$ln=4,r=8,p=1$PwfgvBcCgBDinFNqTWkNwQ$NSAAyl6BUKmfIhKeTwJbs95i2aQCdCuoepUIAZ7BluA",
    ),
    (
        "argon2id m=64,t=2,p=1",
        "$argon2id$v=19$m=64,t=2,p=1$816rFcLYe09JSYkx5jxnDA$tNplsmLWfXZdTPoz4UMCmUfXNXBmrLgFgiLnnpH4iMc",
    ),
    (
        "scrypt 10 8 1",
        "scrypt:1024:8:1$yGtOpc3AIW8aokQG$94a39e7c098fb7c357e16833b9e6cb224ee27bff1a181166ec8d95d2ffd70bf7ef1b3378f274cfbd3cc4adaaa248685e54fcb9b9242e8bf48124b23777d64023",
    ),
    (
        "pbkdf2 Two56 1000",
        "pbkdf2:sha256:1000$7k50UK9Gm0GsiIqB$506bd3fb240b0797c3e3c1df50a521495213683a4f2e7b08eff22a73b834535b",
    ),
];

const CHEAP: Cost = Cost { memory: 64, passes: 1, lanes: 1 };

fn passwords(cost: Cost) -> Passwords {
    Passwords::start(cost, Policy::default(), Vec::new()).unwrap()
}

#[tokio::test]
async fn hashes_of_other_programs_are_checked_and_replaced() {
    let passwords = passwords(CHEAP);
    let (right, wrong) = (Secret::new(PASSWORD.to_owned()), Secret::new("password of Ada".to_owned()));
    for (format, hash) in FOREIGN {
        assert_eq!(format_of(hash).as_deref(), Ok(format), "{hash}");
        assert!(matches!(passwords.check(&wrong, Some(hash), "a@b").await, Ok(Checked::Wrong)), "{hash}");
        let checked = passwords.check(&right, Some(hash), "a@b").await;
        let Ok(Checked::Right { better }) = checked else { panic!("{hash}: {checked:?}") };
        if let Some((better, _)) = better {
            assert!(better.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{better}");
            let checked = passwords.check(&right, Some(&better), "a@b").await;
            assert!(matches!(checked, Ok(Checked::Right { better: None })), "{checked:?}");
        } else {
            assert!(hash.starts_with("$argon2id$v=19$m=64"), "{hash}");
        }
    }
}

#[test]
fn what_django_makes_by_default_is_taken() {
    let hashes = [
        (
            "pbkdf2 Two56 1000000",
            "pbkdf2_sha256$1000000$pGjEsAkObESCB5QOx2dTD8$oVbWBW14MmkL80yxvP6T/0c+orb5talTiyvzpt74Qkc=",
        ),
        (
            "scrypt 14 8 5",
            "scrypt$16384$VW2SKPwqxEzdp2ipQBKBOG$8$5$M4jMZznIP9w8wKfvDwPvjCJ6nR12BgX5MET7U96Cxf17Y3a3CnFkqblQyVcb2R840J3TX9c+XtmxVQAC5bqq4Q==",
        ),
        (
            "argon2id m=102400,t=2,p=8",
            "argon2$argon2id$v=19$m=102400,t=2,p=8$SGhRbnZVUkltdHY0MWExSm1iZ1FoUw$sYbA/S+P3OjAiI8Aa+eSysm6CMpTUcCkIpoCu9DfEME",
        ),
    ];
    for (format, hash) in hashes {
        assert_eq!(format_of(hash).as_deref(), Ok(format));
    }
}

#[test]
fn hashes_that_are_not_known_or_cost_too_much_are_not_taken() {
    for hash in [
        "",
        "md5$1$2",
        "plain",
        "$2b$12$short",
        "$1$abc$def",
        "pbkdf2_sha256$x$s$AAAA",
        "sha1$$",
        "$argon2id$",
    ] {
        assert_eq!(format_of(hash), Err(HashFault::Unknown), "{hash}");
    }
    let output = "c2NyeXB0IG91dHB1dCBvZiAzMiBieXRlcyBsb25nISE";
    for hash in [
        "$2b$31$.ZvKDhzIlVLtxaLDjarXQumIKuXGGV.h4GxJNAMzkn.xZ8YRF338i".to_owned(),
        format!("$scrypt$ln=30,r=8,p=1$c2FsdHNhbHQ${output}"),
        format!("$argon2id$v=19$m=4194304,t=2,p=1$c2FsdHNhbHQ${output}"),
        format!("pbkdf2_sha256$400000000$salt${output}"),
    ] {
        assert_eq!(format_of(&hash), Err(HashFault::TooCostly), "{hash}");
    }
}

#[tokio::test]
async fn a_password_is_the_same_on_every_keyboard() {
    let passwords = passwords(CHEAP);
    let (hash, format) = passwords.hash(&Secret::new("pa\u{308}ssword \u{ff11}".to_owned())).await.unwrap();
    assert_eq!(format, "argon2id m=64,t=1,p=1");
    let checked = passwords.check(&Secret::new("p\u{e4}ssword 1".to_owned()), Some(&hash), "a@b").await;
    assert!(matches!(checked, Ok(Checked::Right { better: None })), "{checked:?}");
    // Below today's cost: a better one.
    let today = self::passwords(Cost { memory: 128, ..CHEAP });
    let checked = today.check(&Secret::new("p\u{e4}ssword 1".to_owned()), Some(&hash), "a@b").await;
    assert!(matches!(checked, Ok(Checked::Right { better: Some(_) })), "{checked:?}");
}

#[test]
fn today_a_hash_costs_what_owasp_says() {
    let hash = Cost::default().hash("password").unwrap();
    assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
    let [.., salt, output] = *hash.split('$').collect::<Vec<_>>() else { panic!("{hash}") };
    assert_eq!((salt.len(), output.len()), (22, 43));
}

#[tokio::test]
async fn unknown_addresses_mimic_the_formats_of_accounts_and_are_never_right() {
    let passwords = passwords(CHEAP);
    let bcrypt = FOREIGN[9].1;
    let (argon2, _) = passwords.hash(&Secret::new("another one".to_owned())).await.unwrap();
    passwords.mimic(&[7; 32], vec![(3, bcrypt.to_owned()), (1, argon2), (5, "no hash".to_owned())]);
    let chosen = |n: usize| passwords.decoy(&format!("{n}@example.com"));
    let of_bcrypt = (0..1000).filter(|n| chosen(*n) == bcrypt).count();
    assert!((650..850).contains(&of_bcrypt), "{of_bcrypt}");
    assert!((0..50).all(|n| chosen(n) == chosen(n)));
    let checked = passwords.check(&Secret::new(PASSWORD.to_owned()), None, "1@example.com").await;
    assert!(matches!(checked, Ok(Checked::Wrong)), "{checked:?}");
}
