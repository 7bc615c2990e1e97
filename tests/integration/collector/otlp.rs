//! A server of OTLP over HTTP with JSON (OpenTelemetry, "OTLP Specification"), which keeps what it receives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

/// The server. Its thread ends with the test.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<Value>>>,
}

/// A log record with what it has in common with others.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) resource: Map<String, Value>,
    pub(crate) scope: String,
    pub(crate) attributes: Map<String, Value>,
    pub(crate) body: String,
    pub(crate) severity: (String, i64),
    /// Nanoseconds since 1970.
    pub(crate) time: i128,
}

impl Server {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let received = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if let Some(request) = answered(stream) {
                    received.lock().unwrap().push(request);
                }
            }
        });
        Self { port, requests }
    }

    /// Returns all log records so far.
    pub(crate) fn records(&self) -> Vec<Record> {
        let requests = self.requests.lock().unwrap();
        let mut records = Vec::new();
        for resource in requests.iter().flat_map(|request| items(&request["resourceLogs"])) {
            for scope in items(&resource["scopeLogs"]) {
                for record in items(&scope["logRecords"]) {
                    records.push(Record {
                        resource: attributes(&resource["resource"]),
                        scope: text(&scope["scope"]["name"]),
                        attributes: attributes(record),
                        body: text(&record["body"]["stringValue"]),
                        severity: (
                            text(&record["severityText"]),
                            record["severityNumber"].as_i64().unwrap_or_default(),
                        ),
                        time: text(&record["timeUnixNano"]).parse().unwrap_or_default(),
                    });
                }
            }
        }
        records
    }

    /// Returns the names of all metrics so far, each with the attributes of its resource.
    pub(crate) fn metrics(&self) -> Vec<(String, Map<String, Value>)> {
        let requests = self.requests.lock().unwrap();
        let mut metrics = Vec::new();
        for resource in requests.iter().flat_map(|request| items(&request["resourceMetrics"])) {
            for metric in items(&resource["scopeMetrics"]).iter().flat_map(|scope| items(&scope["metrics"])) {
                metrics.push((text(&metric["name"]), attributes(&resource["resource"])));
            }
        }
        metrics
    }

    /// Waits for a record of `program` in which `is_meant` finds what it looks for.
    pub(crate) fn waits_for(&self, program: &str, is_meant: impl Fn(&Record) -> bool) -> Record {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let of_program = |record: &Record| record.resource.get("process.executable.name") == Some(&program.into());
            let records: Vec<_> = self.records().into_iter().filter(of_program).collect();
            if let Some(record) = records.iter().find(|record| is_meant(record)) {
                return record.clone();
            }
            assert!(Instant::now() < deadline, "{program}: {records:#?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

fn answered(stream: TcpStream) -> Option<Value> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let line = line.trim_end().to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let answer =
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    reader.get_mut().write_all(answer).ok()?;
    serde_json::from_slice(&body).ok()
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The attributes as a map. Whole numbers are texts in OTLP's JSON.
fn attributes(of: &Value) -> Map<String, Value> {
    let pair = |attribute: &Value| {
        let value = attribute["value"].as_object().and_then(|value| value.values().next().cloned());
        (text(&attribute["key"]), value.unwrap_or_default())
    };
    items(&of["attributes"]).iter().map(pair).collect()
}
