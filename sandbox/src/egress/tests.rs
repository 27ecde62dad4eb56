//! The way out against hostile input, on loopback: names, connections, TLS, requests, grants.

mod grants;
mod lab;
mod requests;
mod sessions;
