use std::collections::HashSet;

use super::*;

#[test]
fn ids_slugs_and_sentences_are_unique() {
    let ids: HashSet<_> = Refusal::ALL.iter().map(|refusal| refusal.id()).collect();
    assert_eq!(ids.len(), Refusal::ALL.len());
    let slugs: HashSet<_> = Problem::ALL.iter().map(|problem| problem.slug()).collect();
    assert_eq!(slugs.len(), Problem::ALL.len());
    let details: HashSet<_> = Problem::ALL.iter().map(|problem| problem.detail()).collect();
    assert_eq!(details.len(), Problem::ALL.len());
}

#[test]
fn every_problem_has_a_refusal_that_leads_to_it() {
    let reached: HashSet<_> = Refusal::ALL.iter().map(|refusal| refusal.problem()).collect();
    assert_eq!(reached.len(), Problem::ALL.len());
}

#[test]
fn every_problem_and_refusal_is_documented() {
    let documented = include_str!("../../../../../docs/problems.md");
    for problem in Problem::ALL {
        let heading = format!("## {}", problem.slug());
        assert!(documented.contains(&heading), "docs/problems.md lacks {heading}");
    }
    for refusal in Refusal::ALL {
        let id = format!("`{}`", refusal.id());
        assert!(documented.contains(&id), "docs/problems.md lacks {id}");
    }
}
