//! Accounts beside an app that has none: over real sockets, with real uvicorn behind.

mod authorize;
mod callers;
mod clients;
mod commands;
mod database;
mod described;
mod flood;
mod killed;
mod logins;
mod mailbox;
mod measured;
mod needed;
mod pages;
mod providers;
mod shared;
mod site;
mod smtp;
mod streams;
