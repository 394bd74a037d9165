//! `restartPolicyRules` of a container: what an exit code does, before the restart policy is asked.
//!
//! The first rule that matches decides (`pod-lifecycle#container-restart-rules`, KEP-5307, KEP-5532). Rules with an
//! action or an operator that is not known match nothing, so that the policy decides.

use wasmpod_manifest::k8s::Container;

/// What a rule does when it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleAction {
    /// The container is restarted, whatever its policy.
    Restart,
    /// All containers of the pod run again, the init containers too.
    RestartAllContainers,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartRule {
    /// What it does.
    pub action: RuleAction,
    /// `In` or `NotIn`.
    pub is_in: bool,
    /// The exit codes.
    pub values: Vec<i32>,
}

impl RestartRule {
    /// The rules of a container, as written.
    #[must_use]
    pub fn of(container: &Container) -> Vec<Self> {
        let rules = container.restart_policy_rules.iter().flatten();
        let known = rules.filter_map(|rule| {
            let codes = rule.exit_codes.as_ref()?;
            Some(Self {
                action: match rule.action.as_str() {
                    "Restart" => RuleAction::Restart,
                    "RestartAllContainers" => RuleAction::RestartAllContainers,
                    _ => return None,
                },
                is_in: match codes.operator.as_str() {
                    "In" => true,
                    "NotIn" => false,
                    _ => return None,
                },
                values: codes.values.clone().unwrap_or_default(),
            })
        });
        known.collect()
    }

    fn matches(&self, code: i32) -> bool {
        self.values.contains(&code) == self.is_in
    }
}

/// What the first rule that matches says; `None` when the policy decides.
#[must_use]
pub fn action(rules: &[RestartRule], code: i32) -> Option<RuleAction> {
    let rule = rules.iter().find(|rule| rule.matches(code))?;
    Some(rule.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(action: RuleAction, is_in: bool, values: &[i32]) -> RestartRule {
        RestartRule {
            action,
            is_in,
            values: values.to_vec(),
        }
    }

    #[test]
    fn the_first_rule_that_matches_decides() {
        use RuleAction::{Restart, RestartAllContainers};
        let rules = [
            rule(Restart, true, &[42, 43]),
            rule(RestartAllContainers, true, &[43, 88]),
            rule(Restart, false, &[0, 1]),
        ];
        for (code, expected) in [
            (42, Some(Restart)),
            (43, Some(Restart)),
            (88, Some(RestartAllContainers)),
            (7, Some(Restart)),
            (0, None),
            (1, None),
        ] {
            assert_eq!(action(&rules, code), expected, "{code}");
        }
    }

    #[test]
    fn rules_are_read_from_the_spec_and_unknown_ones_left_out() {
        let container: Container = serde_json::from_value(serde_json::json!({
            "name": "a",
            "restartPolicyRules": [
                {"action": "Restart", "exitCodes": {"operator": "In", "values": [42]}},
                {"action": "Explode", "exitCodes": {"operator": "In", "values": [43]}},
                {"action": "Restart", "exitCodes": {"operator": "Near", "values": [44]}},
                {"action": "Restart"},
            ],
        }))
        .unwrap();
        assert_eq!(
            RestartRule::of(&container),
            [rule(RuleAction::Restart, true, &[42])]
        );
    }
}
