use proptest::prelude::*;

use super::*;

fn grant(json: &str) -> Vec<Destination> {
    serde_json::from_str(json).unwrap()
}

fn host(text: &str) -> Host {
    Host::parse(text).unwrap()
}

fn request(json: &str, method: &str, path: &str) -> Result<String, Denied> {
    let grant = grant(json);
    let route = Route::find(&grant, host("a.test"), 443).unwrap().tls().unwrap();
    route.check_request(&method.parse().unwrap(), path)
}

#[test]
fn a_host_has_one_spelling() {
    for spelling in ["api.test", "API.Test", "api.test.", "a%70i.test", "ａｐｉ.test", "api。test"] {
        assert_eq!(host(spelling).as_str(), "api.test", "{spelling}");
    }
    assert_eq!(host("bücher.test").as_str(), "xn--bcher-kva.test");
    let loopback = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "::ffff:127.0.0.1",
        "[::ffff:7f00:1]",
        "127.0.0.1.",
    ];
    for spelling in loopback {
        assert_eq!(host(spelling).address(), Some("127.0.0.1".parse().unwrap()), "{spelling}");
        assert_eq!(host(spelling).as_str(), "127.0.0.1", "{spelling}");
    }
    assert_eq!(host("::1").as_str(), "[::1]");
}

#[test]
fn what_is_no_host_is_refused() {
    let long = format!("{}.test", "a".repeat(64));
    for text in [
        "",
        ".",
        "a..test",
        "a.test..",
        "a b.test",
        "a/b",
        "a\\b",
        "a@b.test",
        "fe80::1%eth0",
        "a.test:80",
        "*.test",
        "a\0.test",
        &long,
    ] {
        assert_eq!(Host::parse(text), None, "{text}");
    }
}

#[test]
fn an_authority_is_read_in_one_way() {
    assert_eq!(Host::with_port("a.test:443"), Some((host("a.test"), Some(443))));
    assert_eq!(Host::with_port("[::1]:443"), Some((host("::1"), Some(443))));
    assert_eq!(Host::with_port("[::1]"), Some((host("::1"), None)));
    for text in ["a.test:", "a.test:+1", "a.test:65536", "a.test:80:90", "::1", "user@a.test", "a.test:80/", "[::1]x:1"]
    {
        assert_eq!(Host::with_port(text), None, "{text}");
    }
}

#[test]
fn only_what_was_declared_has_a_route() {
    let grant = grant(
        r#"[{"host":"a.test"},{"host":"*.b.test","ports":[8443]},{"host":"c.test","protocol":"tcp","ports":[5432]}]"#,
    );
    let find = |name: &str, port| Route::find(&grant, host(name), port).map(|_| ());
    assert_eq!(find("a.test", 443), Ok(()));
    assert_eq!(find("a.test", 80), Err(Denied::Port));
    assert_eq!(find("x.a.test", 443), Err(Denied::Host));
    assert_eq!(find("x.b.test", 8443), Ok(()));
    assert_eq!(find("b.test", 8443), Err(Denied::Host));
    assert_eq!(find("198.51.100.10", 443), Err(Denied::Host));
    assert_eq!(Route::find(&grant, host("a.test"), 443).unwrap().http().err(), Some(Denied::Protocol("no TLS")));
    assert!(Route::find(&grant, host("c.test"), 5432).unwrap().is_tcp());
}

#[test]
fn a_port_declared_as_tcp_and_as_more_is_checked() {
    let grant = grant(r#"[{"host":"a.test"},{"host":"a.test","protocol":"tcp","ports":[443]}]"#);
    assert!(!Route::find(&grant, host("a.test"), 443).unwrap().is_tcp());
}

#[test]
fn a_request_is_allowed_by_one_destination_as_a_whole() {
    let grant = r#"[{"host":"a.test","methods":["GET"],"paths":["/v1/*","/health"]},{"host":"a.test","methods":["POST"],"paths":["/v2/send"]}]"#;
    assert!(request(grant, "GET", "/v1/x").is_ok());
    assert!(request(grant, "GET", "/health").is_ok());
    assert!(request(grant, "POST", "/v2/send").is_ok());
    assert_eq!(request(grant, "GET", "/v2/send"), Err(Denied::Path));
    assert_eq!(request(grant, "POST", "/v1/x"), Err(Denied::Path));
    assert_eq!(request(grant, "DELETE", "/v1/x"), Err(Denied::Method));
    assert_eq!(request(grant, "GET", "/v1"), Err(Denied::Path));
    assert_eq!(request(grant, "GET", "/healthy"), Err(Denied::Path));
    assert_eq!(request(grant, "get", "/v1/x"), Err(Denied::Method));
    assert_eq!(request(r#"[{"host":"a.test"}]"#, "TRACE", "/"), Err(Denied::Method));
    assert_eq!(request(r#"[{"host":"a.test"}]"#, "CONNECT", "/"), Err(Denied::Method));
}

#[test]
fn a_path_that_can_be_read_in_two_ways_is_refused() {
    let grant = r#"[{"host":"a.test","paths":["/v1/*"]}]"#;
    assert_eq!(request(grant, "GET", "/%76%31/a%2Db").as_deref(), Ok("/v1/a-b"));
    assert_eq!(request(grant, "GET", "/v1/%c3%a9").as_deref(), Ok("/v1/%C3%A9"));
    let twice = [
        "/v1/../admin",
        "/v1/%2e%2e/admin",
        "/v1/.%2E/admin",
        "/v1/..;x/admin",
        "/v1/.;/x",
        "/v1//admin",
        "/v1/%2fadmin",
        "/v1/..%2fadmin",
        "/v1/..\\admin",
        "/v1/%5cadmin",
        "/v1/%252e%252e/admin",
        "/v1/%00",
        "/v1/%c0%ae%c0%ae/admin",
        "/v1/%zz",
        "/v1/%2",
        "v1/",
        "*",
        "/v1/é",
        "/v1/a b",
        "/v1/.",
        "/v1/..",
    ];
    for path in twice {
        assert!(matches!(request(grant, "GET", path), Err(Denied::Ambiguous(_))), "{path}");
    }
}

#[test]
fn a_pin_holds_for_every_rule_that_declares_one() {
    let (key, other) = (Hash::of(b"key"), Hash::of(b"other"));
    let pinned = Destination { pins: vec![key], ..grant(r#"[{"host":"a.test"}]"#).remove(0) };
    let both = [pinned, grant(r#"[{"host":"a.test"}]"#).remove(0)];
    let route = Route::find(&both, host("a.test"), 443).unwrap();
    assert!(route.intercepts() && route.check_key(key).is_ok());
    assert_eq!(route.check_key(other), Err(Denied::Pin));
}

proptest! {
    #[test]
    fn reading_a_host_again_changes_nothing(text in "\\PC{0,40}") {
        if let Some(host) = Host::parse(&text) {
            prop_assert_eq!(Host::parse(host.as_str()), Some(host));
        }
    }

    #[test]
    fn an_accepted_path_has_no_other_reading(path in "/[a-z0-9./%;\\\\2eEfFcC-]{0,24}") {
        if let Ok(plain) = plain_path(&path) {
            prop_assert_eq!(plain_path(&plain), Ok(plain.clone()));
            // As a WHATWG parser resolves it, which is how most servers and clients do.
            let resolved = url::Url::parse(&format!("http://a.test{plain}")).unwrap();
            prop_assert_eq!(resolved.path(), plain);
        }
    }

    #[test]
    fn an_ipv4_address_is_judged_alike_in_every_ipv6_spelling(bits: u32) {
        let v4 = std::net::Ipv4Addr::from(bits);
        let direct = address::check(v4.into(), &[]);
        prop_assert_eq!(address::check(v4.to_ipv6_mapped().into(), &[]), direct);
        let [a, b, c, d] = v4.octets();
        let (high, low) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        for spelled in [
            std::net::Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
            std::net::Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
        ] {
            prop_assert_eq!(address::check(spelled.into(), &[]), direct);
        }
    }

    #[test]
    fn no_name_outside_the_grant_has_a_route(name in "[a-z]{1,8}(\\.[a-z]{1,8}){0,3}") {
        let grant = grant(r#"[{"host":"a.test"},{"host":"*.b.test"}]"#);
        let inside = name == "a.test" || name.ends_with(".b.test");
        prop_assert_eq!(Route::find(&grant, host(&name), 443).is_ok(), inside);
    }
}
