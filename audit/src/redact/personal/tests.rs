use super::*;

fn found(kinds: &str, text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    kinds.parse::<Personal>().unwrap().find(text, &mut spans);
    spans.iter().map(|span| format!("{}={}", span.kind, text.get(span.start..span.end).unwrap())).collect()
}

#[test]
fn every_kind_is_found_when_it_is_chosen() {
    for (text, wanted) in [
        ("write to ann.lee+x@mail.example.co.uk now", "email=ann.lee+x@mail.example.co.uk"),
        ("call +49 30 901820-100", "phone=+49 30 901820-100"),
        ("call (212) 555-0175.", "phone=(212) 555-0175"),
        ("to DE89 3704 0044 0532 0130 00 please", "iban=DE89 3704 0044 0532 0130 00"),
        ("to GB82WEST12345698765432", "iban=GB82WEST12345698765432"),
        ("card 4111 1111 1111 1111", "card=4111 1111 1111 1111"),
        ("amex 378282246310005;", "card=378282246310005"),
        ("SSN: 123-45-6789", "national-id=123-45-6789"),
        ("CF RSSMRA85T10A562S", "national-id=RSSMRA85T10A562S"),
        ("NIR 1 85 05 78 006 084 91", "national-id=1 85 05 78 006 084 91"),
        ("CPF 529.982.247-25", "national-id=529.982.247-25"),
        ("DNI 12345678Z", "national-id=12345678Z"),
        ("NIE X1234567L", "national-id=X1234567L"),
        ("PESEL 44051401359", "national-id=44051401359"),
        ("BSN 111222333", "national-id=111222333"),
        ("Steuer-ID 86095742719", "national-id=86095742719"),
        ("Aadhaar 2341 2341 2346", "national-id=2341 2341 2346"),
        ("personnummer 811218-9876", "national-id=811218-9876"),
        ("hetu 131052-308T", "national-id=131052-308T"),
        ("ID 11010519491231002X", "national-id=11010519491231002X"),
        ("AHV 756.9217.0769.85", "national-id=756.9217.0769.85"),
        ("SIN 130 692 544", "national-id=130 692 544"),
        ("TFN 123 456 782", "national-id=123 456 782"),
        ("from 192.168.10.7:8080", "ip-address=192.168.10.7"),
        ("from 2001:db8::8a2e:370:7334", "ip-address=2001:db8::8a2e:370:7334"),
        ("at 00:1A:2B:3C:4D:5E", "mac-address=00:1A:2B:3C:4D:5E"),
    ] {
        let kind = wanted.split('=').next().unwrap();
        assert_eq!(found(kind, text), [wanted], "{text}");
        assert_eq!(found("none", text), [] as [String; 0]);
    }
}

#[test]
fn numbers_without_their_proof_are_let_through() {
    for text in [
        "4111 1111 1111 1112",
        "1234567890123456",
        "DE89 3704 0044 0532 0130 01",
        "550e8400-e29b-41d4-a716-446655440000",
        "commit 4111111111111111a",
        "0.4111111111111111",
        "id 123456782, using 130692544",
        "44051401359",
        "2026-11-21T09:30:00.123456Z",
        "1 85 05 78 006 084 92",
    ] {
        assert_eq!(found("card,iban,national-id", text), [] as [String; 0], "{text}");
    }
}

#[test]
fn cards_accounts_and_persons_are_chosen_unless_said_otherwise() {
    assert_eq!(Personal::default(), "card,iban,national-id".parse().unwrap());
    assert!("cards".parse::<Personal>().is_err());
}
