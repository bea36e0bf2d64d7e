//! Speaking to clients outside of rooms: to all, to a group, to a user, to one connection. Nothing of this is stored.

use std::sync::Arc;

use serde_json::value::{RawValue, to_raw_value};

use super::participant::Participant;
use crate::backplane::{Backplane, Receipt};
use crate::clock;
use crate::protocol::methods::{Audience, CallError, ClientCall, short};
use crate::protocol::room::GroupName;
use crate::protocol::word::{Told, Word};
use crate::topics::Topic;

impl Participant {
    /// From now on the client hears what is for the group.
    ///
    /// # Errors
    /// [`CallError::TooManyRooms`].
    pub async fn add_to_group(&mut self, group: GroupName) -> Result<(), CallError> {
        let most = self.services.most_rooms;
        if self.rooms.len() + self.groups.len() >= most && !self.groups.contains(&group) {
            return Err(CallError::TooManyRooms(most));
        }
        let topic = Topic::Group(group.clone());
        self.groups.insert(group);
        self.services.audiences.join(&topic, &self.member());
        self.services.backplane.joined(topic).await;
        Ok(())
    }

    /// The client no longer hears it.
    pub fn remove_from_group(&mut self, group: &GroupName) {
        if self.groups.remove(group) {
            self.services.audiences.leave(&Topic::Group(group.clone()), self.connection.key);
        }
    }

    /// Calls a method of all clients of an audience, except perhaps this one. The receipt says how that went; this waits only while
    /// too much is on its way.
    pub async fn call(
        &self,
        audience: Audience,
        call: &ClientCall,
        to_others: bool,
        receipt: impl FnOnce(Result<(), CallError>) + Send + 'static,
    ) {
        let except = to_others.then(|| self.origin().to_string().into());
        let to = if let Audience::Connection(id) = &audience { Some(id.into()) } else { None };
        let word =
            Word { except, to, target: (&*call.target).into(), arguments: &call.arguments, question: None }
                .json();
        if let Audience::Connection(_) = &audience
            && self.services.audiences.tell_one(&word)
        {
            return receipt(Ok(()));
        }
        let topic = match audience {
            Audience::All | Audience::Connection(_) => Topic::All,
            Audience::Group(group) => Topic::Group(group),
            Audience::User(user) => Topic::User(user.into()),
        };
        self.publish(topic, word, receipt).await;
    }

    /// Calls a method of one client, wherever it is, and waits for what it gives back, as JSON.
    ///
    /// # Errors
    /// What the client failed with, or why it has not answered.
    pub fn invoke(
        &self,
        connection: String,
        call: ClientCall,
    ) -> impl Future<Output = Result<Box<RawValue>, CallError>> + Send + use<> {
        let (services, key) = (Arc::clone(&self.services), self.connection.key);
        async move {
            let question = services.questions.ask(key)?;
            let (to, id) = (Some((&*connection).into()), question.id());
            let (target, arguments) = ((&*call.target).into(), &*call.arguments);
            let word = Word { except: None, to, question: Some(id.into()), target, arguments }.json();
            if !services.audiences.tell_one(&word) {
                if let Backplane::Memory(_) = *services.backplane {
                    return Err(CallError::NoConnection(short(&connection)));
                }
                services.backplane.publish_and_wait(Topic::All, word).await?;
            }
            question.answered(&connection).await
        }
    }

    /// Says something to every connection of a user.
    pub async fn tell(
        &self,
        user: String,
        text: &str,
        receipt: impl FnOnce(Result<(), CallError>) + Send + 'static,
    ) {
        let identity = &self.connection.identity;
        let from = identity.name.as_deref().or(identity.user.as_deref()).unwrap_or("guest");
        let told = Told { from, user: identity.user.as_deref(), text, at: clock::now_millis() };
        let arguments: Result<Box<RawValue>, _> = to_raw_value(&[told]);
        let Ok(arguments) = arguments else { return };
        let word =
            Word { except: None, to: None, question: None, target: "told".into(), arguments: &arguments }
                .json();
        self.publish(Topic::User(user.into()), word, receipt).await;
    }

    async fn publish(
        &self,
        topic: Topic,
        word: String,
        receipt: impl FnOnce(Result<(), CallError>) + Send + 'static,
    ) {
        let receipt = Receipt::new(|outcome: Result<(), _>| receipt(outcome.map_err(CallError::NotSent)));
        self.services.backplane.publish(topic, word, receipt).await;
    }
}
