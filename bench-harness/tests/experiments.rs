//! Experiment files: what is wrong with one is said in one sentence; the shipped ones are right.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod support;

use bench_harness::experiment::condition::Condition;
use bench_harness::experiment::load::Source;
use bench_harness::experiment::policy::Policy;
use bench_harness::experiment::{App, matrix, model::Model};
use bench_harness::fault::Usage;
use support::{SOUND, models, source};

/// What a changed experiment is refused with.
fn refusal(from: &str, to: &str) -> String {
    assert!(SOUND.contains(from), "nothing to change: {from}");
    let error = source(&SOUND.replace(from, to)).unwrap_err();
    assert!(error.is::<Usage>());
    let sentence = error.to_string();
    assert!(!sentence.contains('\n'), "more than a line: {sentence}");
    sentence
}

#[test]
fn a_sound_file_is_read() {
    let source = source(SOUND).unwrap();
    assert_eq!(source.name, "made-up");
    assert_eq!(source.experiment.repeat.get(), 1);
    assert_eq!(source.experiment.load.path, "/");
}

#[test]
fn a_missing_key_is_named() {
    let sentence = refusal("question = \"Which?\"\n", "");
    assert!(sentence.starts_with("experiments/made-up.toml, line 1"), "{sentence}");
    assert!(sentence.ends_with("missing key `question`"), "{sentence}");
    let sentence = refusal("measure = \"100ms\"", "");
    assert!(sentence.contains("line 12, key `[load]`: missing key `measure`"), "{sentence}");
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_known_ones() {
    let sentence = refusal("warm-up", "warmup");
    assert!(sentence.contains("line 13, key `warmup`: unknown key `warmup`"), "{sentence}");
    assert!(sentence.contains("allowed are `warm-up`, `measure`"), "{sentence}");
}

#[test]
fn a_wrong_value_says_what_is_allowed() {
    let sentence = refusal("\"latency\"", "\"latencies\"");
    assert!(sentence.contains("line 4, key `charts`: unknown value `latencies`"), "{sentence}");
    assert!(sentence.contains("`throughput`") && sentence.contains("`idle-crowd`"), "{sentence}");
    let sentence = refusal("\"100ms\"", "\"100\"");
    assert!(sentence.contains("key `measure`") && sentence.contains("write 300ms"), "{sentence}");
    let sentence = refusal("[1, 10, 100]", "[1, 0]");
    assert!(sentence.contains("line 10") && sentence.contains("nonzero"), "{sentence}");
    let sentence = refusal("[1, 10, 100]", "[]");
    assert!(
        sentence.contains("key `connections`") && sentence.contains("at least one"),
        "{sentence}"
    );
    let sentence = refusal("[\"slow\", \"fast\", \"starving\"]", "\"every\"");
    assert!(sentence.contains("key `model`") && sentence.contains("\"all\""), "{sentence}");
}

#[test]
fn text_that_is_no_toml_is_an_error_with_its_line() {
    let sentence = refusal("question = \"Which?\"", "question = \"Which?");
    assert!(sentence.contains("line 2"), "{sentence}");
}

#[test]
fn an_unknown_model_is_named_with_its_line_and_the_known_ones() {
    let source = source(&SOUND.replace("\"fast\"", "\"fats\"")).unwrap();
    let sentence = source.check_models(&models()).unwrap_err().to_string();
    let expected = "experiments/made-up.toml, line 8: no model `fats`; the models are slow, fast,";
    assert!(sentence.starts_with(expected), "{sentence}");
}

#[test]
fn a_model_that_only_a_skip_names_is_checked_too() {
    let skip = "\n[[skip]]\nwhere = { model = \"gone\" }\nbecause = \"old\"\n";
    let source = source(&format!("{SOUND}{skip}")).unwrap();
    let sentence = source.check_models(&models()).unwrap_err().to_string();
    assert!(sentence.contains("no model `gone`"), "{sentence}");
}

#[test]
fn the_matrix_is_the_product_of_its_axes() {
    let text = SOUND
        .replace("[\"echo\"]", "[\"echo\", \"http\"]")
        .replace("connections =", "size = [1, 2]\nidle = [0, 5]\nconnections =");
    let experiment = source(&text).unwrap().experiment;
    let cells = matrix::expand(&experiment, &models(), &Condition::default()).cells;
    assert_eq!(cells.len(), 3 * 2 * 3 * 2 * 2);
    let mut unique = cells.clone();
    unique.sort();
    unique.dedup();
    assert_eq!(unique.len(), cells.len());
}

#[test]
fn a_rate_is_an_axis_or_the_same_for_all() {
    let rates = |text: &str| {
        let experiment = source(text).unwrap().experiment;
        let cells = matrix::expand(&experiment, &models(), &Condition::default()).cells;
        let mut rates: Vec<_> = cells.iter().map(|cell| cell.rate).collect();
        rates.sort_unstable();
        rates.dedup();
        rates
    };
    assert_eq!(rates(SOUND), [None]);
    let axis = SOUND.replace("connections =", "rate = [100, 2_000]\nconnections =");
    assert_eq!(rates(&axis), [Some(100), Some(2_000)]);
    assert_eq!(rates(&format!("{SOUND}rate = 300\narrivals = \"poisson\"\n")), [Some(300)]);
    let error = source(&format!("{axis}rate = 300\n")).unwrap_err().to_string();
    assert!(error.contains("keep one of them"), "{error}");
}

/// The same with proxies, and two policies for them.
fn proxied() -> String {
    SOUND.replace("[\"echo\"]", "[\"echo\", \"proxy\"]\npolicy = [\"random\", \"ring\"]")
}

#[test]
fn a_policy_is_an_axis_of_proxies_alone() {
    let experiment = source(&proxied()).unwrap().experiment;
    let cells = matrix::expand(&experiment, &models(), &Condition::default()).cells;
    let of = |app| cells.iter().filter(move |cell| cell.app == app);
    assert_eq!((of(App::Echo).count(), of(App::Proxy).count()), (9, 18));
    assert!(of(App::Echo).all(|cell| cell.policy.is_none()));
    let mut filter = Condition::default();
    filter.add("policy=ring").unwrap();
    assert_eq!(matrix::expand(&experiment, &models(), &filter).cells.len(), 9);
    let plain = proxied().replace("policy = [\"random\", \"ring\"]", "");
    let experiment = source(&plain).unwrap().experiment;
    let cells = matrix::expand(&experiment, &models(), &Condition::default()).cells;
    assert!(cells.iter().all(|cell| cell.policy.is_none()), "each proxy keeps its own");
}

#[test]
fn a_policy_and_backends_need_a_proxy() {
    for (from, to) in [
        ("[\"echo\"]", "[\"echo\"]\npolicy = [\"random\"]"),
        ("[load]", "[proxy]\nbackends = 3\n\n[load]"),
    ] {
        let sentence = refusal(from, to);
        assert!(sentence.contains("\"proxy\" or \"relay\""), "{sentence}");
    }
}

#[test]
fn an_unknown_policy_or_backend_is_named_with_its_line_and_the_known_ones() {
    let known: Vec<Policy> =
        serde_json::from_str(r#"[{"name":"random"},{"name":"rung"}]"#).unwrap();
    let source = source(&proxied()).unwrap();
    assert!(source.names_policies());
    let sentence = source.check_policies(&known).unwrap_err().to_string();
    let expected = "line 10: no policy `ring`; the policies are random, rung";
    assert!(sentence.ends_with(expected), "{sentence}");
    let backends = proxied().replace("[load]", "[proxy]\nbackend-model = \"gone\"\n\n[load]");
    let source = support::source(&backends).unwrap();
    let sentence = source.check_models(&models()).unwrap_err().to_string();
    assert!(sentence.contains("line 14: no model `gone`"), "{sentence}");
}

#[test]
fn arrivals_need_a_rate_and_a_known_law() {
    let error = source(&format!("{SOUND}arrivals = \"poisson\"\n")).unwrap_err().to_string();
    assert!(error.contains("add a `rate`"), "{error}");
    let text = format!("{SOUND}rate = 9\narrivals = \"fish\"\n");
    let error = source(&text).unwrap_err().to_string();
    assert!(error.contains("key `arrivals`") && error.contains("bursts:N"), "{error}");
}

#[test]
fn all_means_every_model_on_offer() {
    let text = SOUND.replace("[\"slow\", \"fast\", \"starving\"]", "\"all\"");
    let cells =
        matrix::expand(&source(&text).unwrap().experiment, &models(), &Condition::default()).cells;
    assert!(models().iter().all(|Model { name, .. }| cells.iter().any(|cell| cell.model == *name)));
}

#[test]
fn a_skip_takes_its_cells_out_and_keeps_the_reason() {
    let skip =
        "\n[[skip]]\nwhere = { model = \"slow\", connections = [10, 100] }\nbecause = \"tired\"\n";
    let experiment = source(&format!("{SOUND}{skip}")).unwrap().experiment;
    let expansion = matrix::expand(&experiment, &models(), &Condition::default());
    assert_eq!((expansion.cells.len(), expansion.skipped.len()), (7, 2));
    assert!(expansion.skipped.iter().all(|(cell, why)| cell.model == "slow" && why == "tired"));
}

#[test]
fn a_model_that_this_host_has_not_is_left_out_with_the_reason() {
    let mut models = models();
    models[0].refusal = Some("no rings here".into());
    let name = models[0].name.clone();
    let experiment = source(SOUND).unwrap().experiment;
    let expansion = matrix::expand(&experiment, &models, &Condition::default());
    assert!(!expansion.skipped.is_empty());
    assert!(expansion.cells.iter().all(|cell| cell.model != name));
    let told = |(cell, why): &(_, String)| model_of(cell) == name && why == "no rings here";
    assert!(expansion.skipped.iter().all(told));
}

fn model_of(cell: &bench_harness::experiment::Cell) -> &str {
    &cell.model
}

#[test]
fn a_filter_keeps_what_it_names() {
    let mut filter = Condition::default();
    filter.add("model=slow,fast").unwrap();
    filter.add("connections=1_0").unwrap();
    let experiment = source(SOUND).unwrap().experiment;
    let cells = matrix::expand(&experiment, &models(), &filter).cells;
    assert_eq!(
        cells.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["slow echo c=10", "fast echo c=10"]
    );
    let sentence = filter.add("modle=slow").unwrap_err().to_string();
    assert!(
        sentence.contains("the keys are model, app, policy, connections, idle, size, rate"),
        "{sentence}"
    );
}

#[test]
fn every_shipped_experiment_loads_and_expands() {
    let offered: Vec<Model> = serde_json::from_str(
        r#"[{"name":"thread"},{"name":"select"},{"name":"select-wide"},{"name":"select-sharded"},{"name":"poll"},{"name":"epoll-level"},{"name":"epoll-edge"},
            {"name":"epoll-oneshot"},{"name":"reactors"},{"name":"portable"},{"name":"iterative"},{"name":"pool"},{"name":"uring"}]"#,
    )
    .unwrap();
    let shipped = support::shipped();
    assert!(shipped.len() >= 5);
    for path in shipped {
        let source = Source::read(&path).unwrap();
        source.check_models(&offered).unwrap();
        let expansion = matrix::expand(&source.experiment, &offered, &Condition::default());
        assert!(!expansion.cells.is_empty(), "{}", path.display());
        assert!(!source.experiment.analysis.is_empty(), "{}", path.display());
    }
}

#[test]
fn several_matrices_have_each_cell_once() {
    let also = "\n[[also]]\nmodel = \"all\"\napp = [\"echo\"]\nconnections = [10, 7]\n";
    let experiment = source(&format!("{SOUND}{also}")).unwrap().experiment;
    let cells = matrix::expand(&experiment, &models(), &Condition::default()).cells;
    let count = |connections| cells.iter().filter(|cell| cell.connections == connections).count();
    assert_eq!([1, 10, 100, 7].map(count), [3, 5, 3, 5]);
    assert!(cells[..9].iter().all(|cell| cell.connections != 7), "the first matrix comes first");
}

#[test]
fn a_count_has_neither_a_warm_up_nor_a_rate() {
    let counted = SOUND.replace("\"10ms\"", "\"0s\"").replace("[load]", "[load]\ncount = 100");
    assert!(source(&counted).is_ok());
    let error = source(&counted.replace("\"0s\"", "\"1s\"")).unwrap_err().to_string();
    assert!(error.contains("set `warm-up`"), "{error}");
    let error = source(&format!("{counted}rate = 5\n")).unwrap_err().to_string();
    assert!(error.contains("needs a time"), "{error}");
}

#[test]
fn the_first_condition_that_holds_says_how_many_requests_are_enough() {
    let fewer = "
        [[load.fewer]]\nwhere = { model = \"slow\", connections = 100 }\ncount = 50\nbecause = \"\"
        [[load.fewer]]\nwhere = { connections = 100 }\ncount = 5\nbecause = \"\"\n";
    let text = SOUND.replace("\"10ms\"", "\"0s\"").replace("[load]", "[load]\ncount = 100");
    let load = source(&format!("{text}{fewer}")).unwrap().experiment.load;
    let count = |model, connections| load.count_of(&support::trial(model, connections).cell);
    assert_eq!(count("slow", 10), Some(100));
    assert_eq!((count("slow", 100), count("fast", 100)), (Some(50), Some(5)));
    let timed = source(SOUND).unwrap().experiment.load;
    assert_eq!(timed.count_of(&support::trial("slow", 1).cell), None);
}

#[test]
fn a_model_that_only_a_case_or_a_study_names_is_checked_too() {
    for text in [
        SOUND.replace("[matrix]", "case = [{ model = \"gone\" }]\n[matrix]"),
        format!(
            "{SOUND}\n[published]\nstudy = \"x\"\n[[published.series]]\nmodel = \"gone\"\n\
                 name = \"y\"\nresponse-ms = [[1, 2.0]]\n"
        ),
    ] {
        let sentence = source(&text).unwrap().check_models(&models()).unwrap_err().to_string();
        assert!(sentence.contains("no model `gone`"), "{sentence}");
    }
}

/// The file says what the study did: its twelve cases in its order, each with 100 requests a
/// client, and a point here for each point there.
#[test]
fn the_twelve_cases_are_those_of_the_study() {
    let shipped = support::shipped();
    let path = shipped.iter().find(|path| path.ends_with("twelve-cases.toml")).unwrap();
    let experiment = Source::read(path).unwrap().experiment;
    let offered: Vec<Model> = ["iterative", "thread", "pool", "select", "epoll-edge", "reactors"]
        .map(|name| serde_json::from_str(&format!(r#"{{"name":"{name}"}}"#)).unwrap())
        .into();
    let expansion = matrix::expand(&experiment, &offered, &Condition::default());
    let cases: Vec<_> = experiment
        .case
        .iter()
        .map(|case| {
            let held: Vec<_> = expansion.cells.iter().filter(|cell| case.holds(cell)).collect();
            assert_eq!(held.len(), 1, "{case:?}");
            assert_eq!(experiment.load.count_of(held[0]), Some(100), "{}", held[0]);
            (held[0].model.as_str(), held[0].connections)
        })
        .collect();
    let study = [
        ("select", 1),
        ("select", 1_000),
        ("select", 2_000),
        ("thread", 1),
        ("thread", 10_000),
        ("thread", 30_000),
        ("thread", 35_000),
        ("epoll-edge", 1),
        ("epoll-edge", 10_000),
        ("epoll-edge", 40_000),
        ("epoll-edge", 45_000),
        ("epoll-edge", 100_000),
    ];
    assert_eq!(cases, study);
    for series in &experiment.published.unwrap().series {
        for (clients, _) in &series.response_ms {
            let mut same = expansion.cells.iter().filter(|cell| cell.connections == *clients);
            assert!(same.any(|cell| cell.model == series.model), "{} {clients}", series.name);
        }
    }
    let others = expansion.cells.iter().filter(|cell| cell.model == "reactors");
    assert_eq!(
        others.map(|cell| cell.connections).collect::<Vec<_>>(),
        [1, 1_000, 10_000, 100_000]
    );
}
