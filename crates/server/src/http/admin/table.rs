//! The table of routes: every entry carries who may use it, into the router and into its description alike.

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use utoipa::openapi::extensions::Extensions;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn, PathItem};
use utoipa::openapi::security::SecurityRequirement;
use utoipa::openapi::{
    ContentBuilder, ObjectBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, Type,
};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

use super::super::State;
use super::gate::{self, Access};

/// The description's name for the scheme of sessions.
pub(in super::super) const SESSION: &str = "session";
/// The description's name for the scheme of credentials.
pub(in super::super) const CREDENTIAL: &str = "credential";

/// Routes, each with who may use it.
#[derive(Default)]
pub(super) struct Table(Vec<(Access, UtoipaMethodRouter<State>)>);

impl Table {
    /// One more route.
    pub(super) fn route(mut self, access: Access, route: UtoipaMethodRouter<State>) -> Self {
        self.0.push((access, route));
        self
    }

    /// Every method and path with who may use it, in the order of the table.
    pub(super) fn entries(&self) -> Vec<(&'static str, String, Access)> {
        let mut entries = Vec::new();
        for (access, (_, paths, _)) in &self.0 {
            for (path, item) in &paths.paths {
                for (method, _) in operations(item) {
                    entries.push((method, path.clone(), *access));
                }
            }
        }
        entries
    }

    /// The guarded router.
    pub(super) fn into_router(self, service: &State) -> OpenApiRouter<State> {
        let mut router = OpenApiRouter::new();
        for (access, (schemas, mut paths, methods)) in self.0 {
            describe(access, &mut paths.paths);
            let service = State::clone(service);
            let guard = from_fn(move |request: Request, next: Next| {
                gate::guard(State::clone(&service), access, request, next)
            });
            router = router.routes((schemas, paths, methods.route_layer(guard)));
        }
        router
    }

    /// The description alone.
    pub(super) fn into_description(self) -> OpenApi {
        let mut router = OpenApiRouter::<State>::new();
        for (access, (schemas, mut paths, methods)) in self.0 {
            describe(access, &mut paths.paths);
            router = router.routes((schemas, paths, methods));
        }
        router.into_openapi()
    }
}

fn operations(item: &PathItem) -> Vec<(&'static str, &Operation)> {
    let known = [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
    ];
    let there = known.into_iter();
    there
        .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
        .collect()
}

type Paths = utoipa::openapi::path::PathsMap<String, PathItem>;

fn describe(access: Access, paths: &mut Paths) {
    for (path, item) in paths.iter_mut() {
        let all = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.delete,
        ];
        for operation in all.into_iter().flatten() {
            describe_operation(access, path, operation);
        }
    }
}

fn describe_operation(access: Access, path: &str, operation: &mut Operation) {
    let scheme = match access.role() {
        Some(role) => {
            let extensions = operation.extensions.get_or_insert_with(Extensions::default);
            extensions.insert("x-required-role".to_owned(), role.as_str().into());
            SESSION
        }
        None => CREDENTIAL,
    };
    let nothing: [&str; 0] = [];
    operation.security = Some(vec![SecurityRequirement::new(scheme, nothing)]);
    let parameters = operation.parameters.get_or_insert_with(Vec::new);
    for name in path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    {
        parameters.insert(0, RefOr::T(path_parameter(name)));
    }
    let problem = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
        .build();
    let refused = ResponseBuilder::new()
        .description("A problem document; its `code` says which (docs/reference/codes.md)")
        .content(super::super::problem::MEDIA_TYPE, problem)
        .build();
    let responses = &mut operation.responses.responses;
    responses.insert("default".to_owned(), RefOr::T(refused));
}

fn path_parameter(name: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String).build();
    utoipa::openapi::path::ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .schema(Some(text))
        .build()
}
