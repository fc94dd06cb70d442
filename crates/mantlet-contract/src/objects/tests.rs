//! Proposals, from facts as the inspector writes them.

use serde_json::{Value, json};

use super::{Found, FunctionProposal, Proposal, find};
use crate::model::{Contract, PathItem, Shape};

/// A foreign key.
fn step(from: &str, to: &str) -> Value {
    let (table, column) = from.split_once('.').unwrap();
    let (to, key) = to.split_once('.').unwrap();
    json!({"table": table, "field": column, "column": column, "to": to, "key": key})
}

fn table(name: &str, owner: &Value) -> Value {
    json!({"name": name, "source": "mapper", "key": ["id"], "owner": owner})
}

/// What an answer shows: the table, how many, and where it has the owner or the parent.
fn shows(table: &str, shown_as: &str, places: &Value) -> Value {
    let mut shown =
        json!({"table": table, "as": shown_as, "model": "Out", "evidence": "attributes", "overlap": 100});
    shown.as_object_mut().unwrap().extend(places.as_object().unwrap().clone());
    shown
}

fn keys(all: &[(&str, &str)]) -> Value {
    all.iter().map(|(name, table)| json!({"name": name, "table": table, "field": "id"})).collect()
}

/// A route that asks for a login.
fn route(route: &str, objects: &Value) -> Value {
    let (methods, path) = route.split_once(' ').unwrap();
    let security = json!([[{"name": "b", "scheme": {"kind": "bearer"}, "auto-error": true}]]);
    let methods: Vec<_> = methods.split(',').collect();
    json!({"kind": "http", "path": path, "methods": methods, "hidden": false, "operation": {
        "id": route, "body": {"kind": "none"}, "inputs": [], "security": security, "objects": objects,
        "responses": [{"status": 200, "shape": 1}],
    }})
}

/// An app with a user, and an operation that says who is calling unless its shape is none.
fn app(tables: &[Value], routes: &[Value], me: Option<usize>) -> Contract {
    let field =
        |name: &str, alias: &str| json!({"name": name, "lookup": [[alias]], "shape": 0, "required": false});
    let user = json!({"type": "object", "name": "Me", "kind": "model", "extra": "ignore", "fields":
        [field("id", "userId"), field("email", "email"), field("is_admin", "isAdmin"), field("role", "role")]});
    let mut all: Vec<Value> = routes.to_vec();
    if let Some(shape) = me {
        let mut route = route("GET /users/me", &json!({}));
        route["operation"]["responses"][0]["shape"] = json!(shape);
        all.push(route);
    }
    let roles = json!([{"name": "is_admin", "kind": "flag"}, {"name": "role", "kind": "choice", "choices": ["reader", "site admin"]}]);
    let all_tables = [tables, &[table("users", &json!({"kind": "user"}))]].concat();
    let contract = json!({
        "version": 1, "source": "inspector", "shapes": [{"type": "any"}, {"type": "any"}, user],
        "router": {"redirect-slashes": true, "complete": true, "routes": all},
        "objects": {
            "user": {"table": "users", "key": ["id"], "why": "`current_user` returns it", "roles": roles},
            "tables": all_tables,
        },
    });
    serde_json::from_value(contract).unwrap()
}

fn orders() -> Value {
    table("orders", &json!({"kind": "column", "step": step("orders.user_id", "users.id")}))
}

fn one_order(methods: &str) -> Value {
    let shown = shows("orders", "one", &json!({"owner": "/user_id"}));
    route(
        &format!("{methods} /orders/{{id}}"),
        &json!({"parameters": keys(&[("id", "orders")]), "shows": shown}),
    )
}

fn texts(found: &Found) -> Vec<String> {
    let all = found.tables.iter().flat_map(|table| &table.proposals);
    all.map(|proposal| {
        proposal.to_toml().lines().filter(|line| !line.starts_with("# `")).collect::<Vec<_>>().join("\n")
    })
    .collect()
}

#[test]
fn a_rule_is_text_that_can_be_copied() {
    let found = find(&app(&[orders()], &[one_order("GET")], Some(2)));
    let [text] = texts(&found).try_into().unwrap();
    assert_eq!(
        text,
        "[[authorization.own]]\n\
         paths   = [\"/orders/{id}\"]\n\
         owner   = \"response:/user_id\"\n\
         equals  = \"principal:userId\"\n\
         unless  = [\"principal:isAdmin\", 'principal:role = \"site admin\"'] # delete this line if they may see only their own"
    );
    assert_eq!(found.tables[0].owned, "are owned by `users.id` through `user_id`");
}

#[test]
fn what_the_gate_cannot_know_of_the_caller_is_said() {
    for (me, assumed, missing) in [(Some(2), false, false), (Some(1), true, false), (None, false, true)] {
        let found = find(&app(&[orders()], &[one_order("GET")], me));
        let proposal = &found.tables[0].proposals[0];
        assert_eq!((proposal.is_assumed, !proposal.missing.is_empty()), (assumed, missing), "{proposal:?}");
        assert_eq!(proposal.to_toml().contains("mode    = \"report\""), assumed);
        assert_eq!(proposal.roles.is_empty(), me.is_none(), "{proposal:?}");
    }
}

#[test]
fn a_rule_is_for_the_methods_that_ask_who_is_calling() {
    let mut public = one_order("GET");
    public["operation"]["security"] = json!([]);
    let key = json!({"parameters": keys(&[("id", "orders")])});
    let delete = route("DELETE /orders/{id}", &key);
    for (get, methods) in [(one_order("GET"), vec![]), (public, vec!["DELETE"])] {
        let found = find(&app(&[orders()], &[get, delete.clone()], Some(2)));
        let [proposal] = found.tables[0].proposals.as_slice() else { panic!("{found:?}") };
        assert_eq!(proposal.methods, methods);
    }
    let admin = json!({"parameters": keys(&[("id", "orders")]), "behind": ["RoleChecker", "current_user"]});
    let found = find(&app(&[orders()], &[one_order("GET"), route("DELETE /orders/{id}", &admin)], Some(2)));
    assert_eq!(found.tables[0].proposals[0].methods, ["GET"]);
    assert!(
        found.tables[0].left[0].starts_with("DELETE /orders/{id}: it is meant for administrators"),
        "{found:?}"
    );
}

#[test]
fn what_is_below_an_object_is_read_there() {
    let key = json!({"parameters": keys(&[("order_id", "orders")])});
    let routes = [
        one_order("GET"),
        route("POST /orders/{order_id}/cancel", &key),
        route("GET /orders/{order_id}/pdf", &key),
    ];
    let found = find(&app(&[orders()], &routes, Some(2)));
    let [_, below] = found.tables[0].proposals.as_slice() else { panic!("{found:?}") };
    assert_eq!(below.paths, ["/orders/{order_id}/cancel", "/orders/{order_id}/pdf"]);
    assert_eq!(below.read.as_deref(), Some("/orders/{order_id}"));
    assert_eq!(below.owner, "response:/user_id");
}

#[test]
fn a_nested_owner_is_read_where_the_parent_is() {
    let steps = json!([step("lines.order_id", "orders.id"), step("orders.user_id", "users.id")]);
    let lines = table("lines", &json!({"kind": "nested", "steps": steps}));
    let shown = json!({"parameters": keys(&[("id", "lines")]), "shows": shows("lines", "one", &json!({"parent": "/order"}))});
    let line = route("GET /lines/{id}", &shown);
    let found = find(&app(&[lines.clone(), orders()], &[line.clone(), one_order("GET")], Some(2)));
    let [proposal] = found.tables[0].proposals.as_slice() else { panic!("{found:?}") };
    assert_eq!(proposal.read.as_deref(), Some("/orders/{response:/order}"));
    assert_eq!(found.tables[0].owned, "are owned by `users.id` through `order_id`, then `orders.user_id`");
    // There is nothing to read the parent with.
    let found = find(&app(&[lines], &[line], Some(2)));
    assert_eq!(found.tables[0].proposals, []);
    assert_eq!(found.tables[0].left.len(), 1, "{found:?}");
}

#[test]
fn what_is_the_callers_own_is_told_by_the_path_and_what_is_for_all_is_not() {
    let key = json!({"parameters": keys(&[("user_id", "users")])});
    let mut profile = route("GET /profiles/{user_id}", &key);
    profile["operation"]["responses"][0]["shape"] = json!(3);
    let routes =
        [route("GET /users/{user_id}/orders", &key), profile, route("POST /users/{user_id}/follow", &key)];
    let mut contract = app(&[], &routes, Some(2));
    contract.shapes.push(
        serde_json::from_value(
            json!({"type": "object", "name": "Profile", "kind": "model", "extra": "ignore", "fields":
            [{"name": "name", "lookup": [["name"]], "shape": 0, "required": false}]}),
        )
        .unwrap(),
    );
    let found = find(&contract);
    let [proposal] = found.tables[0].proposals.as_slice() else { panic!("{found:?}") };
    assert_eq!(
        (proposal.paths.as_slice(), proposal.owner.as_str()),
        (&["/users/{user_id}/orders".to_owned()][..], "path:user_id")
    );
    assert_eq!(found.tables[0].left.len(), 2, "{found:?}");
}

#[test]
fn what_seems_to_be_for_administrators_is_proposed_where_any_login_is_enough() {
    let mut public = route("GET /admin/login", &json!({}));
    public["operation"]["security"] = json!([]);
    let mut scoped = route("GET /admin/reports", &json!({}));
    scoped["operation"]["security"][0][0]["scopes"] = json!(["reports"]);
    let mut tagged = route("DELETE /products/{id}", &json!({}));
    tagged["operation"]["tags"] = json!(["Staff"]);
    let routes = [
        route("GET /admin/users", &json!({})),
        route("DELETE /admin/users/{user_id}", &json!({})),
        route("POST /admin/refunds", &json!({"behind": ["require_admin"]})),
        route("GET /products/{id}", &json!({})),
        route("GET /administer", &json!({})),
        tagged,
        public,
        scoped,
    ];
    let found = find(&app(&[], &routes, Some(2)));
    assert_eq!(functions(&found), ["/admin/users /admin/users/{user_id}:", "/products/{id}: DELETE"]);
    assert!(
        found.functions[0].to_toml().ends_with(
            "[[authorization.allow]]\n\
             paths   = [\"/admin/users\", \"/admin/users/{user_id}\"]\n\
             who     = [\"principal:isAdmin\", 'principal:role = \"site admin\"']\n\
             mode    = \"report\" # until you know that it is right"
        ),
        "{}",
        found.functions[0].to_toml()
    );
    // With no role that is known of a caller there is nothing to ask for.
    assert_eq!(find(&app(&[], &routes, None)).functions, []);
}

/// Rules about functions: paths and methods.
fn functions(found: &Found) -> Vec<String> {
    let line = |one: &FunctionProposal| {
        let paths: Vec<_> = one.paths.iter().map(|one| one.path.as_str()).collect();
        format!("{}: {}", paths.join(" "), one.methods.join(",")).trim_end().to_owned()
    };
    found.functions.iter().map(line).collect()
}

#[test]
fn what_only_looks_as_if_it_were_for_administrators_is_not_proposed() {
    let tagged = |text: &str, tag: &str| {
        let mut found = route(text, &json!({}));
        found["operation"]["tags"] = json!([tag]);
        found
    };
    let routes = [
        route("GET /users/me/permissions", &json!({})),
        route("POST /users/me/roles", &json!({})),
        route("GET /roles", &json!({})),
        route("GET /management/buildings/{id}", &json!({})),
        route("GET /internal/messages", &json!({})),
        tagged("GET /posts", "Content management"),
        tagged("POST /posts", "Content management"),
        tagged("GET /songs", "Staff picks"),
        tagged("GET /reports", "Admin"),
        route("POST /roles", &json!({})),
        route("GET /moderator/queue", &json!({})),
        route("GET /v1/admin/a", &json!({})),
        route("GET /v1/admin/b", &json!({})),
        route("POST /v2/admin-tools", &json!({})),
    ];
    assert_eq!(
        functions(&find(&app(&[], &routes, Some(2)))),
        ["/reports:", "/roles: POST", "/moderator/queue:", "/v1/admin/a /v1/admin/b:", "/v2/admin-tools:"]
    );
}

#[test]
fn an_administrator_is_called_as_the_apps_own_column_says() {
    for (choices, who, unless) in [
        (json!(["user", "moderator", "org_admin", "admin"]), "moderator org_admin admin", "admin"),
        (json!(["superadmin", "admin"]), "superadmin admin", "superadmin"),
        (json!(["user", "moderator"]), "moderator", ""),
        (json!(["customer", "team_admin"]), "team_admin", ""),
        (json!(["customer", "courier", "owner"]), "", ""),
        (json!([]), "admin", "admin"),
    ] {
        let mut contract =
            app(&[orders()], &[one_order("GET"), route("GET /admin/users", &json!({}))], Some(2));
        let user = contract.objects.as_mut().unwrap().user.as_mut().unwrap();
        user.roles.remove(0);
        user.roles[0].choices = serde_json::from_value(choices.clone()).unwrap();
        let found = find(&contract);
        let said = |all: &[String]| all.join(" ").replace("principal:role = ", "");
        let function = found.functions.first();
        assert_eq!(function.map(|one| said(&one.who)).unwrap_or_default(), who, "{choices}");
        assert_eq!(said(&found.tables[0].proposals[0].roles), unless, "{choices}");
        // A guess is not accepted.
        let is_guess =
            function.is_some_and(|one| one.to_toml().contains("\n# missing: the value that `role` has"));
        assert_eq!(is_guess, choices == json!([]), "{choices}");
        let text = found.tables[0].proposals[0].to_toml();
        assert_eq!(text.contains("# `role` may have any text: "), is_guess, "{text}");
    }
}

#[test]
fn what_the_configuration_says_already_is_left_out() {
    let routes = [
        route("GET /admin/a", &json!({})),
        route("GET /admin/b", &json!({})),
        route("DELETE /admin/b", &json!({})),
        route("GET /admin/c", &json!({})),
    ];
    let found = find(&app(&[], &routes, Some(2)));
    let [rule] = found.functions.as_slice() else { panic!("{found:?}") };
    let left = |covered: &[&str]| {
        let left = rule.without(|one, method| covered.contains(&&*format!("{method} {}", one.path)));
        let found = Found { functions: left.into_iter().collect(), ..Found::default() };
        functions(&found).join("; ")
    };
    assert_eq!(left(&[]), "/admin/a /admin/b /admin/c:");
    assert_eq!(left(&["GET /admin/a", "GET /admin/b"]), "/admin/c:");
    assert_eq!(left(&["GET /admin/a", "GET /admin/b", "GET /admin/c"]), "/admin/b: DELETE");
    assert_eq!(left(&["GET /admin/a", "GET /admin/b", "GET /admin/c", "DELETE /admin/b"]), "");
}

#[test]
fn what_is_below_an_object_and_asks_for_no_login_is_doubted_if_it_reads() {
    let key = json!({"parameters": keys(&[("order_id", "orders")])});
    let bare = |text: &str| {
        let mut found = route(text, &key);
        found["operation"]["security"] = json!([]);
        found
    };
    let shown = shows("orders", "one", &json!({"owner": "/user_id"}));
    let one = json!({"parameters": keys(&[("order_id", "orders")]), "shows": shown});
    let one = route("GET /orders/{order_id}", &one);
    let routes = [one, bare("GET /orders/{order_id}/image"), bare("POST /orders/{order_id}/webhook")];
    let found = find(&app(&[orders()], &routes, Some(2)));
    let [_, image] = found.tables[0].proposals.as_slice() else { panic!("{found:?}") };
    assert_eq!((image.paths.len(), image.paths[0].as_str()), (1, "/orders/{order_id}/image"));
    assert_eq!(image.doubts, ["it asks for no login, so it may be for all"]);
    assert!(found.tables[0].left.iter().any(|why| why.starts_with("POST /orders/{order_id}/webhook: ")));
}

#[test]
fn nothing_is_proposed_where_it_is_not_clear_whose_it_is() {
    for owner in [
        json!({"kind": "ambiguous", "columns": ["user_id", "referrer_id"]}),
        json!({"kind": "ambiguous", "columns": ["assigned_to"]}),
        json!({"kind": "shared", "through": ["members"]}),
    ] {
        let found = find(&app(&[table("orders", &owner)], &[one_order("GET,DELETE")], Some(2)));
        assert_eq!((found.tables[0].proposals.len(), found.with_id.len()), (0, 1), "{found:?}");
        assert!(!found.is_proposed(&found.with_id[0]));
    }
}

#[test]
fn operations_with_an_id_are_known_without_tables() {
    let mut contract = app(
        &[],
        &[
            route("GET /things/{thing_id}", &Value::Null),
            route("GET /tags/{tag}", &Value::Null),
            route("GET /inv/INV-{invoice_id}", &Value::Null),
        ],
        None,
    );
    contract.objects = None;
    let found = find(&contract);
    assert_eq!(
        found.with_id.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["GET /inv/INV-{invoice_id}", "GET /things/{thing_id}"]
    );
}

/// Each proposal in a line: paths and methods, and what has to be the same.
fn lines(found: &Found) -> Vec<String> {
    let all = found.tables.iter().flat_map(|table| &table.proposals);
    let line = |one: &Proposal| {
        let rest = [&one.also, &one.read].into_iter().flatten().map(|text| format!("; {text}"));
        let passes = [(one.passes_missing, "; missing passes"), (one.passes_nulls, "; nulls pass")];
        let passes = passes.iter().filter(|(is_it, _)| *is_it).map(|(_, text)| (*text).to_owned());
        let rest: String = rest.chain(passes).collect();
        format!("{} {}: {} = {}{rest}", one.methods.join(","), one.paths.join(" "), one.owner, one.equals)
    };
    all.map(line).collect()
}

#[test]
fn what_is_in_a_trash_is_read_there() {
    let key = json!({"parameters": keys(&[("order_id", "orders")])});
    let one = json!({
        "parameters": keys(&[("order_id", "orders")]),
        "shows": shows("orders", "one", &json!({"owner": "/user_id"})),
    });
    let get = |path: &str| route(&format!("GET {path}"), &one);
    let routes = [
        get("/admin/orders/{order_id}"),
        get("/trash/{order_id}"),
        get("/orders/{order_id}"),
        route("POST /trash/{order_id}/restore", &key),
        route("POST /pay/{order_id}", &key),
    ];
    let found = lines(&find(&app(&[orders()], &routes, Some(2))));
    assert_eq!(
        found,
        [
            " /trash/{order_id} /orders/{order_id}: response:/user_id = principal:userId",
            " /trash/{order_id}/restore: response:/user_id = principal:userId; /trash/{order_id}",
            " /pay/{order_id}: response:/user_id = principal:userId; /orders/{order_id}",
        ]
    );
    // Neither of two is called like the table.
    let routes = [get("/trash/{order_id}"), get("/bought/{order_id}"), route("POST /pay/{order_id}", &key)];
    let found = find(&app(&[orders()], &routes, Some(2)));
    assert_eq!(lines(&found).len(), 1, "{found:?}");
    assert_eq!(
        found.tables[0].left,
        ["POST /pay/{order_id}: it is not clear which operation shows the object with its owner"]
    );
}

#[test]
fn what_is_also_of_another_is_of_either() {
    let mut owner = json!({"kind": "column", "step": step("remarks.author_id", "users.id")});
    owner["beside"] = json!([step("remarks.order_id", "orders.id"), step("orders.user_id", "users.id")]);
    let remarks = table("remarks", &owner);
    let places = json!({"owner": "/author_id", "parent": "/order_id"});
    let one = json!({"parameters": keys(&[("id", "remarks")]), "shows": shows("remarks", "one", &places)});
    let list = shows("remarks", "list", &json!({"items": "", "owner": "/author_id", "parent": "/order_id"}));
    let routes = [
        route("GET,DELETE /remarks/{id}", &one),
        route("GET /remarks", &json!({"shows": list.clone()})),
        route("GET /orders/{id}/remarks", &json!({"parameters": keys(&[("id", "orders")]), "shows": list})),
        one_order("GET"),
    ];
    let found = find(&app(&[orders(), remarks.clone()], &routes, Some(2)));
    assert_eq!(
        lines(&found),
        [
            " /orders/{id}: response:/user_id = principal:userId",
            " /orders/{id}/remarks: response:/user_id = principal:userId; /orders/{id}",
            " /remarks/{id}: response:/user_id = principal:userId; response:/author_id; /orders/{response:/order_id}",
        ]
    );
    let left = &found.tables.iter().find(|table| table.name == "remarks").unwrap().left;
    assert_eq!(
        left.as_slice(),
        ["GET /remarks: each may also be of the owner of its `orders`, which no rule can read here"]
    );
    // Nothing shows the order.
    let found = find(&app(&[remarks], &routes[..1], Some(2)));
    assert_eq!(lines(&found), Vec::<String>::new());
}

#[test]
fn what_is_of_a_group_is_for_its_members() {
    let group = |steps: Value| json!({"kind": "shared", "through": ["members"], "group": {"table": "teams", "key": "id", "steps": steps}});
    let teams = table("teams", &group(json!([])));
    let plans = table("plans", &group(json!([step("plans.team_id", "teams.id")])));
    let team = json!({"parameters": keys(&[("team_id", "teams")])});
    let plan = json!({
        "parameters": keys(&[("id", "plans")]),
        "shows": shows("plans", "one", &json!({"owner": "/team_id"})),
    });
    let routes = [
        route("GET /teams/{team_id}", &team),
        route("PATCH /teams/{team_id}", &team),
        route("GET /teams/{team_id}/members", &team),
        route("POST /teams/{team_id}/members", &team),
        route("POST /teams/{team_id}/invite", &team),
        route("GET /plans/{id}", &plan),
    ];
    let mut contract = app(&[teams, plans], &routes, Some(2));
    // Nothing says which teams are the caller's.
    let found = find(&contract);
    assert_eq!(lines(&found), Vec::<String>::new());
    let why = "the answer of `GET /users/me` has no list of the keys of each `teams` of the caller, such as `team_ids`";
    assert_eq!(found.tables[0].left, [why]);
    assert_eq!(found.tables[1].left, [format!("GET /plans/{{id}}: {why}")]);
    let Shape::Object(me) = &mut contract.shapes[2] else { panic!("it is an object") };
    for name in ["owned_team_ids", "team_ids"] {
        let mut field = me.fields[0].clone();
        (field.name, field.lookup) = (name.to_owned(), vec![vec![PathItem::Key(name.to_owned())]]);
        me.fields.push(field);
    }
    let found = find(&contract);
    assert_eq!(
        lines(&found),
        [
            "PATCH /teams/{team_id}: path:team_id = principal:team_ids",
            "GET /teams/{team_id}/members: path:team_id = principal:team_ids",
            " /plans/{id}: response:/team_id = principal:team_ids",
        ]
    );
    assert_eq!(
        found.tables[0].left,
        [
            "GET /teams/{team_id}: it may be for all",
            "POST /teams/{team_id}/members: it may be for those who join",
            "POST /teams/{team_id}/invite: it may be for those who join",
        ]
    );
}

#[test]
fn a_user_may_be_in_one_group_alone() {
    let group = |steps: Value| {
        let group = json!({"table": "teams", "key": "id", "of-user": "email", "steps": steps});
        json!({"kind": "shared", "through": ["users"], "group": group})
    };
    let plans = table("plans", &group(json!([step("plans.team_id", "teams.id")])));
    let shown = shows("plans", "list", &json!({"items": "", "owner": "/team_id"}));
    let found = find(&app(&[plans], &[route("GET /plans", &json!({"shows": shown}))], Some(2)));
    assert_eq!(lines(&found), [" /plans: item:/team_id = principal:email"]);
}

#[test]
fn what_is_below_a_user_may_still_be_of_another() {
    let one = json!({
        "parameters": keys(&[("user_id", "users"), ("id", "orders")]),
        "shows": shows("orders", "one", &json!({"owner": "/user_id"})),
    });
    let found = find(&app(&[orders()], &[route("GET /users/{user_id}/orders/{id}", &one)], Some(2)));
    assert_eq!(
        lines(&found),
        [
            " /users/{user_id}/orders/{id}: response:/user_id = principal:userId",
            " /users/{user_id}/orders/{id}: path:user_id = principal:userId",
        ]
    );
}

#[test]
fn what_requests_say_of_owners_is_checked() {
    let mut contract = app(&[orders()], &[], Some(2));
    let mut shape = |shape: Value| {
        contract.shapes.push(serde_json::from_value(shape).unwrap());
        contract.shapes.len() - 1
    };
    let number = shape(json!({"type": "int"}));
    let few = shape(json!({"type": "list", "items": number, "max-length": 100}));
    let many = shape(json!({"type": "list", "items": number}));
    let field = |name: &str, shape: usize| json!({"name": name, "lookup": [[name]], "shape": shape, "required": true});
    let mut object = |fields: Value| {
        shape(json!({"type": "object", "name": "In", "kind": "model", "extra": "ignore", "fields": fields}))
    };
    let new = object(
        json!([{"name": "user_id", "lookup": [["user_id"], ["userId"]], "shape": number, "required": false}]),
    );
    let of_few = object(json!([field("order_ids", few), field("tag_ids", few)]));
    let of_many = object(json!([field("ids", many)]));
    let body =
        |id: usize| json!([{"location": "body", "take": {"kind": "whole"}, "shape": id, "required": true}]);
    let named = |at: &str, name: &str, multiple: bool, id: usize| {
        let take = json!({"kind": "field", "names": [name], "multiple": multiple});
        json!([{"location": at, "take": take, "shape": id, "required": false}])
    };
    let mut routes = Vec::new();
    let mut add = |text: &str, objects: Value, inputs: Value| {
        let mut route = route(text, &objects);
        route["operation"]["inputs"] = inputs;
        routes.push(serde_json::from_value(route).unwrap());
    };
    let one = |parameters: Value| json!({"parameters": parameters, "shows": shows("orders", "one", &json!({"owner": "/user_id"}))});
    add("GET /orders/{id}", one(keys(&[("id", "orders")])), named("path", "id", false, number));
    add("POST /orders", one(json!([])), body(new));
    add("POST /orders/archive", json!({}), body(of_few));
    add("POST /orders/remove", json!({}), body(of_many));
    add("GET /orders/labels", json!({}), named("query", "ids", true, few));
    add("GET /orders/export", json!({}), named("query", "user_id", false, number));
    add("GET /bills/export", json!({}), named("query", "user_id", false, number));
    contract.router.routes.extend(routes);
    let found = find(&contract);
    assert_eq!(
        lines(&found),
        [
            " /orders/{id}: response:/user_id = principal:userId",
            "POST /orders: body:/user_id = principal:userId; nulls pass",
            " /orders/archive: response:/user_id = principal:userId; /orders/{body:/order_ids}",
            " /orders/labels: response:/user_id = principal:userId; /orders/{query:ids}",
            " /orders/export: query:user_id = principal:userId; missing passes",
        ]
    );
    assert_eq!(
        found.tables[0].left,
        ["POST /orders/remove: it takes more than 100 keys at once, and a rule reads no more"]
    );
}

#[test]
fn what_is_shown_without_a_login_is_for_all() {
    let key = json!({"parameters": keys(&[("id", "orders")])});
    let mut list = route(
        "GET /orders",
        &json!({"shows": shows("orders", "list", &json!({"items": "", "owner": "/user_id"}))}),
    );
    list["operation"]["security"] = json!([]);
    let routes =
        [one_order("GET"), route("DELETE /orders/{id}", &key), route("POST /orders/{id}/likes", &key), list];
    let found = find(&app(&[orders()], &routes, Some(2)));
    assert_eq!(lines(&found), ["DELETE /orders/{id}: response:/user_id = principal:userId"]);
    assert_eq!(found.tables[0].left.len(), 3, "{found:?}");
}

#[test]
fn what_is_of_nobody_all_may_read_and_nobody_changes() {
    let step = step("orders.user_id", "users.id");
    let orders = table("orders", &json!({"kind": "column", "step": step, "nullable": true}));
    let mut orders = orders;
    orders["owner"]["step"]["nullable"] = json!(true);
    let key = json!({"parameters": keys(&[("id", "orders")])});
    let routes = [one_order("GET"), route("DELETE /orders/{id}", &key)];
    let found = find(&app(&[orders.clone()], &routes, Some(2)));
    assert_eq!(
        lines(&found),
        [
            "GET /orders/{id}: response:/user_id = principal:userId; nulls pass",
            "DELETE /orders/{id}: response:/user_id = principal:userId",
        ]
    );
    // Unless a client without a login makes them.
    let mut new = route("POST /orders", &json!({"shows": shows("orders", "one", &json!({}))}));
    new["operation"]["security"] = json!([]);
    let found = find(&app(&[orders], &[routes.as_slice(), &[new]].concat(), Some(2)));
    assert!(lines(&found).iter().all(|line| line.ends_with("nulls pass")), "{found:?}");
}

#[test]
fn where_a_handler_makes_answers_itself_the_object_is_read_first() {
    let mut one = one_order("GET");
    one["operation"]["objects"]["shows"]["varies"] = json!(true);
    let found = find(&app(&[orders()], &[one], Some(2)));
    assert_eq!(lines(&found), [" /orders/{id}: response:/user_id = principal:userId; /orders/{id}"]);
}

#[test]
fn below_something_else_a_user_is_another_one() {
    let both = json!({"parameters": keys(&[("id", "orders"), ("user_id", "users")])});
    let found = find(&app(&[orders()], &[route("PUT /orders/{id}/readers/{user_id}", &both)], Some(2)));
    assert_eq!(lines(&found), Vec::<String>::new());
}

#[test]
fn a_rule_is_sure_where_a_mapper_and_a_declared_answer_agree_and_nothing_is_in_doubt() {
    let sure = |table: Value, route: Value, me: Option<usize>| {
        let found = find(&app(&[table], &[route], me));
        let proposals: Vec<_> = found.tables.iter().flat_map(|table| table.proposals.clone()).collect();
        let [proposal] = proposals.as_slice() else { panic!("{found:?}") };
        let text = proposal.to_toml();
        assert_eq!(text.contains("mode    = \"report\""), !proposal.is_sure() && proposal.missing.is_empty());
        assert_eq!(text.contains("# doubt: "), !proposal.doubts.is_empty(), "{text}");
        proposal.is_sure()
    };
    assert!(sure(orders(), one_order("GET"), Some(2)));
    let mut part = orders();
    part["owner"]["step"]["part"] = json!(true);
    assert!(!sure(part, one_order("GET"), Some(2)), "its name says another part");
    let mut text = orders();
    text["source"] = json!("statement");
    assert!(!sure(text, one_order("GET"), Some(2)), "no mapper says it");
    let mut assumed = one_order("GET");
    assumed["operation"]["objects"]["shows"]["evidence"] = json!("path");
    assert!(!sure(orders(), assumed, Some(2)), "no declared answer shows it");
    assert!(!sure(orders(), one_order("GET"), Some(1)), "the caller's attribute is assumed");
    assert!(!sure(orders(), one_order("GET"), None), "the caller's attribute is missing");
    // A path alone, and one whose answer shows the same.
    let key = keys(&[("user_id", "users")]);
    let alone = json!({"parameters": key});
    assert!(!sure(orders(), route("GET /users/{user_id}/orders", &alone), Some(2)));
    let shown = json!({"parameters": key, "shows": shows("orders", "list", &json!({"owner": "/user_id", "items": ""}))});
    assert!(sure(orders(), route("GET /users/{user_id}/orders", &shown), Some(2)));
    let nested = json!([step("lines.order_id", "orders.id"), step("orders.sent_by", "users.id")]);
    let mut lines = table("lines", &json!({"kind": "nested", "steps": nested}));
    lines["owner"]["steps"][1]["part"] = json!(true);
    let shown = json!({"parameters": keys(&[("id", "lines")]), "shows": shows("lines", "one", &json!({"owner": "/order/sent_by"}))});
    assert!(!sure(lines, route("GET /lines/{id}", &shown), Some(2)), "the owner of the parent is in doubt");
}
