//! Checks the test vectors in `fixtures/identity/vectors.json`. `tests/integration/identity/verify.py` checks the same file and
//! shares no code with this crate.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::identity::authority::Authority;
use crate::identity::certificate::CertificateUsage;
use crate::identity::certificate::issue;
use crate::identity::certificate_fields::serial_number;
use crate::identity::context::PasswordGeneration;
use crate::identity::context::{CertificateId, Context};
use crate::identity::key::Key;
use crate::identity::password;
use crate::identity::scram;
use crate::identity::seed::Seed;
use crate::identity::window::{Schedule, Window};

fn text<'a>(vector: &'a Value, field: &str) -> &'a str {
    vector[field].as_str().unwrap_or_else(|| panic!("{field} of {vector}"))
}

fn number(vector: &Value, field: &str) -> i64 {
    vector[field].as_i64().unwrap_or_else(|| panic!("{field} of {vector}"))
}

fn generation(vector: &Value, field: &str) -> u32 {
    number(vector, field).try_into().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// The private key of a context in hexadecimal, read from its PEM.
fn scalar(context: &Context, seed: &Seed) -> String {
    let pem = Key::derive(context, seed).pem().unwrap();
    let key = p256::SecretKey::from_sec1_pem(&pem).unwrap();
    hex(Zeroizing::new(key.to_bytes()).as_slice())
}

fn certificate_id(vector: &Value) -> CertificateId<'_> {
    CertificateId {
        namespace: text(vector, "namespace"),
        cluster: text(vector, "cluster"),
        role: text(vector, "role"),
        name: text(vector, "name"),
        generation: generation(vector, "generation"),
    }
}

/// The window of a vector. Its schedule is the default, unless the vector contains another one.
fn window(vector: &Value) -> Window {
    let days = |field: &str, default: u16| vector[field].as_u64().map_or(default, |days| days.try_into().unwrap());
    let default = Schedule::default();
    let schedule =
        Schedule::new(days("window_days", default.window_days()), days("lifetime_days", default.lifetime_days()));
    Window::containing(number(vector, "time"), schedule.unwrap()).unwrap()
}

fn outcome(vector: &Value, seed: &Seed) -> String {
    let field = |field| text(vector, field);
    match field("context") {
        "authority/key" => {
            scalar(&Context::authority_key(field("trust_domain"), generation(vector, "generation")), seed)
        }
        "authority/serial" => {
            let context = Context::authority_serial(field("trust_domain"), generation(vector, "generation"));
            serial_number(&context, seed).to_string().replace(':', "")
        }
        "certificate/key" => {
            let window = window(vector);
            scalar(&Context::certificate_key(&certificate_id(vector), window), seed)
        }
        "certificate/serial" => {
            let names: Vec<String> =
                vector["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect();
            let window = window(vector);
            let (domain, authority) = (field("trust_domain"), generation(vector, "authority_generation"));
            let context = Context::certificate_serial(&certificate_id(vector), window, domain, authority, &names);
            serial_number(&context, seed).to_string().replace(':', "")
        }
        "password" => {
            let alphabet = match field("alphabet") {
                "ascii" => &password::ASCII,
                _ => &password::ALPHANUMERIC,
            };
            let all = vector["all_generation"].as_u64().unwrap_or(1).try_into().unwrap();
            let generation = PasswordGeneration { own: generation(vector, "generation"), all };
            let context =
                Context::password(field("namespace"), field("cluster"), field("user"), alphabet.name, generation);
            let length = number(vector, "length").try_into().unwrap();
            password::derive(&context, seed, alphabet, length).to_string()
        }
        "scram/salt" => {
            let context = Context::scram_salt(field("namespace"), field("cluster"), field("user"), field("password"));
            STANDARD.encode(context.draw::<16>(seed, 0).as_slice())
        }
        "scram/verifier" => {
            let salt = STANDARD.decode(field("salt")).unwrap().try_into().unwrap();
            scram::verifier(field("password"), &salt).to_string()
        }
        "fingerprint/key" => {
            hex(Context::fingerprint_key(field("namespace"), field("cluster")).draw::<32>(seed, 0).as_slice())
        }
        other => panic!("no such context: {other}"),
    }
}

#[test]
fn every_derivation_gives_what_it_always_gave() {
    let vectors: Value = serde_json::from_str(include_str!("../../fixtures/identity/vectors.json")).unwrap();
    let seed = Seed::new(text(&vectors, "seed").as_bytes()).ok().unwrap();
    let values = vectors["values"].as_array().unwrap();
    assert!(values.len() > 20, "only {} vectors", values.len());
    for vector in values {
        assert_eq!(outcome(vector, &seed), text(vector, "outcome"), "{vector}");
    }
}

#[test]
fn the_rest_of_a_certificate_changes_its_serial() {
    let seed = Seed::new(b"oT4#rW9-kq2.Zx7!Lm5_vB8*Yc3+Hn6?").ok().unwrap();
    let window = Window::containing(1_800_000_000, Schedule::default()).unwrap();
    let id = CertificateId { namespace: "ns", cluster: "hippo", role: "postgres", name: "", generation: 1 };
    let issued = |authority: u32, name: &str| {
        let authority = Authority::derive(&seed, "ns", authority).unwrap();
        issue(&id, &[name.to_owned()], CertificateUsage::Server, &authority, window, &seed).unwrap()
    };
    let (first, renamed, reissued) = (issued(1, "a.ns.svc"), issued(1, "b.ns.svc"), issued(2, "a.ns.svc"));
    assert!(first.key == renamed.key && first.key == reissued.key);
    assert!(first.certificate != renamed.certificate && first.certificate != reissued.certificate);
    let serial = |authority: u32, name: &str| {
        serial_number(&Context::certificate_serial(&id, window, "ns", authority, &[name.to_owned()]), &seed)
    };
    assert!(serial(1, "a.ns.svc") != serial(1, "b.ns.svc") && serial(1, "a.ns.svc") != serial(2, "a.ns.svc"));
}
