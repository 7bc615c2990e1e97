//! The outputs in `docs/check.md` are those of the program.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::tools;

#[test]
fn the_outputs_of_the_page_are_real() {
    if tools::program("jq").is_none() {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blocks = |page: &str| -> Vec<(String, String)> {
        let text = fs::read_to_string(root.join(page)).unwrap();
        let fences: Vec<&str> = text.split("```").collect();
        let inside = fences.chunks_exact(2).map(|pair| pair[1].split_once('\n').unwrap());
        inside.map(|(language, content)| (language.to_owned(), content.to_owned())).collect()
    };
    let directory = tempfile::tempdir().unwrap();
    let page = blocks("docs/check.md");
    for (language, content) in page.iter().chain(&blocks("docs/quickstart.md")) {
        if let Some(name) =
            content.lines().next().and_then(|line| line.strip_prefix("# ")).filter(|_| language == "yaml")
        {
            fs::write(directory.path().join(name), content).unwrap();
        }
    }
    let program = Path::new(env!("CARGO_BIN_EXE_pgrender")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([program.to_owned()].into_iter().chain(std::env::split_paths(&path))).unwrap();
    let mut compared = 0;
    for pair in page.windows(2) {
        if let [(shell, script), (language, expected)] = pair
            && shell == "sh"
            && ["text", "json"].contains(&language.as_str())
        {
            let mut bash = Command::new("bash");
            bash.args(["-c", script]).current_dir(directory.path()).env("PATH", &path);
            assert_eq!(&tools::success(&mut bash), expected, "{script}");
            compared += 1;
        }
    }
    assert_eq!(compared, 5);
}
