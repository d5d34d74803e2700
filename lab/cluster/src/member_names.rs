//! Names for the members of a group.

use std::collections::BTreeMap;

use crate::GroupMember;

/// The names of a group's members, by member id. A member's name is its `client.id`. If that name is taken, a number is
/// added: `rdkafka·2`. A member keeps its name for as long as it is in the group.
#[derive(Clone, Debug, Default)]
pub struct MemberNames(BTreeMap<String, String>);

impl MemberNames {
    /// Names for these members.
    pub fn of(members: &[GroupMember]) -> Self {
        let mut names = Self::default();
        names.update(members);
        names
    }

    /// Takes note of the present members. A new member does not get the name of a member that has just left.
    pub fn update(&mut self, members: &[GroupMember]) {
        let mut members: Vec<&GroupMember> = members.iter().collect();
        members.sort_by_key(|member| &member.member_id);
        for GroupMember {
            member_id,
            client_id,
            ..
        } in &members
        {
            if !self.0.contains_key(member_id) {
                let numbered = (2..).map(|number| format!("{client_id}·{number}"));
                let mut candidates = std::iter::once(client_id.clone()).chain(numbered);
                let free = candidates.find(|name| !self.0.values().any(|taken| taken == name));
                self.0
                    .insert(member_id.clone(), free.unwrap_or_else(|| member_id.clone()));
            }
        }
        self.0
            .retain(|id, _| members.iter().any(|member| member.member_id == *id));
    }

    /// The name of the member with this id. If the member is unknown, its name is the id.
    pub fn name(&self, member_id: &str) -> String {
        let name = self.0.get(member_id).map_or(member_id, String::as_str);
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn member(member_id: &str, client_id: &str) -> GroupMember {
        GroupMember {
            client_id: client_id.to_string(),
            member_id: member_id.to_string(),
            partitions: BTreeSet::new(),
        }
    }

    #[test]
    fn a_member_keeps_its_name() {
        let (first, second, third) = (
            member("x", "rdkafka"),
            member("a", "rdkafka"),
            member("b", "rdkafka"),
        );
        let mut names = MemberNames::of(std::slice::from_ref(&first));
        names.update(&[second.clone(), first]);
        assert_eq!(names.name("x"), "rdkafka");
        assert_eq!(names.name("a"), "rdkafka·2");
        names.update(std::slice::from_ref(&second));
        assert_eq!(names.name("a"), "rdkafka·2");
        names.update(&[second, third]);
        assert_eq!(names.name("b"), "rdkafka");
    }

    #[test]
    fn a_new_member_does_not_get_the_name_of_one_that_has_just_left() {
        let mut names = MemberNames::of(&[member("x", "A")]);
        names.update(&[member("y", "A")]);
        assert_eq!(names.name("y"), "A·2");
    }
}
