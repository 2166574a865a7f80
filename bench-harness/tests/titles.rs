//! What figures say: titles that are computed from rows, and the numbers in them.

#![allow(clippy::unwrap_used, reason = "a test may panic anywhere")]

mod support;

use std::fs;

use bench_harness::experiment::Chart;
use bench_harness::plot::{self, Drawn};
use bench_harness::record::Row;
use bench_harness::report::markdown;
use bench_harness::results::Run;
use loadgen::verdict::Standing;
use support::changed;

#[test]
fn a_bar_is_as_long_as_its_title_says() {
    // The medians of user and of system time, 12 and 21, are of two trials.
    let (_folder, mut run) = changed(|_| ());
    let rows = std::mem::take(&mut run.rows);
    for (user, system) in [(10.0, 30.0), (20.0, 21.0), (12.0, 10.0)] {
        run.rows.extend(rows.iter().filter(|row| row.model != "starving").cloned().map(|row| {
            let times = if row.model == "fast" { 1.0 } else { 4.0 };
            Row {
                server_user_us_per_request: Some(user * times),
                server_system_us_per_request: Some(system * times),
                ..row
            }
        }));
    }
    run.source.experiment.charts = vec![Chart::Cpu];
    let figures = plot::draw_all(&run).unwrap();
    assert!(figures[0].finding.contains("costs 40 µs of CPU with fast"), "{figures:?}");
    let svg = fs::read_to_string(&figures[0].path).unwrap();
    assert!(svg.contains("40 µs") && svg.contains("160 µs"), "medians of the sums: {svg}");
}

#[test]
fn percentiles_are_ranked_where_there_are_several_trials() {
    let (_folder, mut run) = changed(|_| ());
    run.source.experiment.charts = vec![Chart::Latency];
    let said = "echo: at 100 connections, the 99th percentiles of 2 models can't be ranked by one \
                trial each";
    assert_eq!(plot::draw_all(&run).unwrap()[0].finding, said);
    run.rows.extend_from_within(..);
    let said = "echo: at 100 connections, 99 % of requests take at most 6.68 ms with fast and \
                26.7 ms with slow";
    assert_eq!(plot::draw_all(&run).unwrap()[0].finding, said);
}

#[test]
fn times_of_an_invalid_trial_are_not_ranked_and_its_rate_is() {
    let (_folder, run) = changed(|row| {
        row.verdict = Some(Standing::Invalid);
        row.verdict_reasons = Some("client CPU".into());
    });
    let findings: Vec<_> =
        plot::draw_all(&run).unwrap().into_iter().map(|figure| figure.finding).collect();
    assert!(findings[0].starts_with("echo: fast answers 4.0 ×"), "{findings:?}");
    assert_eq!(findings[1], "echo: how long requests take at 100 connections");
    assert_eq!(findings[2], "echo: how latency is distributed at 100 connections");
}

#[test]
fn an_open_loop_is_told_by_its_times() {
    let (_folder, mut run) = changed(|row| row.rate_asked_per_s = Some(row.connections * 1_000));
    run.source.experiment.charts = vec![Chart::LatencyUnderLoad];
    let page = markdown::page(&run, &[]);
    assert!(page.contains("| p99 | c=1 1 k/s | c=10 10 k/s | c=100 100 k/s |"), "{page}");
    let figures = plot::draw_all(&run).unwrap();
    assert_eq!(figures.len(), 2, "p99.9 was not measured");
    let expected = "echo: p99 of response time stays under 10 ms with fast up to 100 k/s, \
        slow up to 10 k/s, starving up to 1 k/s";
    assert_eq!(figures[1].finding, expected);
}

/// The made-up run as one of proxies: `starving` is left out, and each row is there once a policy.
fn proxies() -> (tempfile::TempDir, Run) {
    let (folder, mut run) = changed(|row| row.app = "proxy".into());
    run.rows.retain(|row| row.model != "starving");
    let rows = std::mem::take(&mut run.rows);
    for (policy, cost, shares) in [("hash", 2.0, "900; 100"), ("turns", 1.0, "500; 500")] {
        run.rows.extend(rows.iter().cloned().map(|row| Row {
            policy: Some(policy.into()),
            backend_answered: Some(shares.into()),
            server_user_us_per_request: row.server_user_us_per_request.map(|us| us * cost),
            server_system_us_per_request: row.server_system_us_per_request.map(|us| us * cost),
            ..row
        }));
    }
    run.rows.iter_mut().enumerate().for_each(|(place, row)| row.trial = place + 1);
    (folder, run)
}

#[test]
fn policies_are_compared_with_each_other_and_so_are_the_shares_of_backends() {
    let (_folder, mut run) = proxies();
    run.source.experiment.charts = vec![Chart::Policies, Chart::Backends];
    let figures = plot::draw_all(&run).unwrap();
    let findings: Vec<_> = figures.iter().map(|figure| figure.finding.as_str()).collect();
    let expected = [
        "proxy: at 100 connections, the CPU time of the proxy for one request is 12.5 µs with turns \
         and 2.0 × as much with hash, on fast",
        "proxy: at 100 connections, the 99th percentile of response time is the same with all \
         policies, as far as trials can tell",
        "proxy: the busiest of 2 backends has an even share with turns, and 1.80 times an even one \
         with hash",
    ];
    assert_eq!(findings, expected);
    let note = |figure: &Drawn| {
        let svg = fs::read_to_string(&figure.path).unwrap();
        svg.contains("trials have too few independent answers for the 99th percentile")
    };
    assert!(!note(&figures[1]));
    let slow = run.rows.iter_mut().filter(|row| row.model == "slow");
    slow.for_each(|row| row.latency_p99_us = None);
    assert!(note(&plot::draw_all(&run).unwrap()[1]));
}

#[test]
fn a_chart_that_is_not_about_policies_has_one_of_them_at_a_time() {
    let (_folder, mut run) = proxies();
    run.source.experiment.charts = vec![Chart::Cpu];
    let figures = plot::draw_all(&run).unwrap();
    let stem = |figure: &Drawn| figure.path.file_stem().unwrap().to_string_lossy().into_owned();
    let names: Vec<_> = figures.iter().map(stem).collect();
    assert_eq!(names, ["cpu-proxy-hash", "cpu-proxy-turns"]);
    let page = markdown::page(&run, &[]);
    assert!(page.contains("hash c=100") && page.contains("| fast, turns |"), "{page}");
}

#[test]
fn a_published_open_loop_is_laid_beside_what_came_out_at_the_same_rate() {
    let (_folder, mut run) = changed(|row| row.rate_asked_per_s = Some(2_000));
    run.source.experiment.published = Some(
        toml::from_str(
            "study = \"others\"\n[[latency]]\nname = \"theirs\"\nrate = 2_000\nanswered = 1_552\n\
             percentiles-ms = [[50, 1_280], [99, 5_530]]\n",
        )
        .unwrap(),
    );
    run.source.experiment.charts = vec![Chart::Latency];
    let page = markdown::page(&run, &[]);
    assert!(page.contains("| theirs, as published | 2,000/s | 1,552/s | 1,280 "), "{page}");
    assert!(page.contains("| fast | 2,000/s | 40,000/s | "), "{page}");
    let figures = plot::draw_all(&run).unwrap();
    let svg = fs::read_to_string(&figures[0].path).unwrap();
    assert!(svg.contains("theirs, as published: 1,552/s answered"), "no line of theirs");
    assert!(figures[0].finding.contains("with 2 models, 5.53 s as published"), "{figures:?}");
    let fast = run.rows.iter_mut().filter(|row| row.model == "fast");
    fast.for_each(|row| row.host_others_cpus = Some(0.5));
    let figures = plot::draw_all(&run).unwrap();
    assert!(figures[0].finding.contains("with 1 model, 5.53 s as published"), "{figures:?}");
}
