//! Access control as it can be read (RFC 3744, RFC 5397), and the principals: true to the grant, and silent about others.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::server::{Server, basic};

fn prop(names: &str) -> String {
    format!("<d:propfind xmlns:d='DAV:'><d:prop>{names}</d:prop></d:propfind>")
}

fn report(s: &Server, path: &str, body: &str) -> String {
    s.send("REPORT", path, &["Depth: 0"], body).expect(207).text()
}

/// What stands in the element.
fn inside<'t>(text: &'t str, element: &str) -> &'t str {
    let from = text.find(&format!("<d:{element}>")).unwrap_or_else(|| panic!("{element} in {text}"));
    &text[from..from + text[from..].find(&format!("</d:{element}>")).unwrap()]
}

const PRINCIPAL: &str = "<d:href>/dav/principals/users/ann/</d:href>";

#[test]
fn privileges_are_those_of_the_grant() {
    let s = Server::start();
    s.send("MKCOL", "/in", &[], "").expect(201);
    let add = |args: &[&str]| basic("ann", s.run(&[&["app-password", "add", "ann", "--quiet"], args].concat()).unwrap().trim());
    let read = "read read-acl read-current-user-privilege-set";
    let write = "write write-content write-properties bind unbind";
    let table = [
        ("everything", s.authorization(), format!("{read} {write} unlock all")),
        ("reads", add(&["--read-only"]), read.to_owned()),
        ("a folder", add(&["--path", "/in"]), format!("{read} {write}")),
        ("reads a folder", add(&["--path", "/in", "--read-only"]), read.to_owned()),
    ];
    for (name, authorization, want) in &table {
        let text = s.send_as(authorization, "PROPFIND", "/in", &["Depth: 0"], prop("<d:current-user-privilege-set/>")).expect(207).text();
        let set = inside(&text, "current-user-privilege-set");
        // What stands before the first privilege is none.
        let got: Vec<_> = set.split("<d:privilege><d:").skip(1).map(|p| p.split('/').next().unwrap()).collect();
        assert_eq!(got.join(" "), *want, "{name}");
        // What is told is what is so.
        let allowed = got.contains(&"write-content");
        assert_eq!(s.send_as(authorization, "PUT", "/in/f", &[], "x").status / 100 == 2, allowed, "{name}");
    }
}

#[test]
fn properties_about_access() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let names = "<d:owner/><d:group/><d:acl/><d:acl-restrictions/><d:inherited-acl-set/><d:principal-collection-set/>\
        <d:current-user-principal/><d:supported-privilege-set/><d:principal-URL/>";
    let text = s.send("PROPFIND", "/f", &["Depth: 0"], prop(names)).expect(207).text();
    for want in [
        format!("<d:owner>{PRINCIPAL}</d:owner><d:group/>"),
        format!("<d:ace><d:principal>{PRINCIPAL}</d:principal><d:grant><d:privilege><d:all/></d:privilege></d:grant><d:protected/></d:ace>"),
        "<d:acl-restrictions><d:grant-only/><d:no-invert/></d:acl-restrictions><d:inherited-acl-set/>".to_owned(),
        "<d:principal-collection-set><d:href>/dav/principals/users/</d:href></d:principal-collection-set>".to_owned(),
        format!("<d:current-user-principal>{PRINCIPAL}</d:current-user-principal>"),
    ] {
        assert!(text.contains(&want), "{want}: {text}");
    }
    let supported = inside(&text, "supported-privilege-set");
    assert_eq!(supported.matches("<d:supported-privilege>").count(), 10, "{supported}");
    let missing = "<d:prop><x:principal-URL xmlns:x=\"DAV:\"/></d:prop><d:status>HTTP/1.1 404 Not Found";
    assert!(text.contains(missing), "a file is no principal: {text}");
    // They are computed: not among all properties, named by propname, and nobody sets them.
    assert!(!s.send("PROPFIND", "/f", &["Depth: 0"], "").text().contains("acl"));
    assert!(s.send("PROPFIND", "/f", &["Depth: 0"], "<d:propfind xmlns:d='DAV:'><d:propname/></d:propfind>").text().contains("<d:acl/>"));
    for name in ["owner", "acl", "group-membership", "current-user-privilege-set"] {
        let set = format!("<d:propertyupdate xmlns:d='DAV:'><d:set><d:prop><d:{name}><d:href>/x</d:href></d:{name}></d:prop></d:set></d:propertyupdate>");
        assert!(s.send("PROPPATCH", "/f", &[], set).expect(207).text().contains("403 Forbidden"), "{name}");
    }
}

#[test]
fn principals() {
    let s = Server::start();
    let names = "<d:resourcetype/><d:displayname/><d:principal-URL/><d:alternate-URI-set/><d:group-member-set/><d:group-membership/><d:owner/>";
    let text = s.send("PROPFIND", "/dav/principals/users/ann/", &["Depth: 0"], prop(names)).expect(207).text();
    for want in [
        "<d:resourcetype><d:collection/><d:principal/></d:resourcetype><d:displayname>ann</d:displayname>",
        &format!("<d:principal-URL>{PRINCIPAL}</d:principal-URL><d:alternate-URI-set/><d:group-member-set/><d:group-membership/>"),
    ] {
        assert!(text.contains(want), "{want}: {text}");
    }
    let list = s.send("PROPFIND", "/dav/principals/users/", &["Depth: 1"], "").expect(207).text();
    assert_eq!(list.matches("<d:response>").count(), 2, "{list}");
    let page = s.send("GET", "/dav/principals/users/ann/", &[], "").expect(200);
    assert!(page.header("content-type").unwrap().starts_with("text/html") && page.text().contains("ann"), "{}", page.text());
    for place in ["/dav/", "/dav/files/", "/dav/principals/", "/dav/principals/users/"] {
        s.send("GET", place, &[], "").expect(200);
        let text = s.send("PROPFIND", place, &["Depth: 0"], prop("<d:current-user-principal/><d:current-user-privilege-set/>")).expect(207).text();
        assert!(text.contains(PRINCIPAL) && !text.contains("write"), "{text}");
        let options = s.send("OPTIONS", place, &[], "").expect(200);
        assert!(options.header("dav").unwrap().contains("access-control") && !options.header("allow").unwrap().contains("PUT"), "{}", options.head);
    }
}

#[test]
fn reports_about_principals() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    let users = "/dav/principals/users/";
    let found = |text: &str| text.contains(&format!("<d:response>{PRINCIPAL}"));
    let of_self = "<d:principal-match xmlns:d='DAV:'><d:self/><d:prop><d:displayname/></d:prop></d:principal-match>";
    assert!(found(&report(&s, users, of_self)) && found(&report(&s, "/dav/", of_self)) && !found(&report(&s, "/dav/files/", of_self)));
    let of_owner = |name: &str| format!("<d:principal-match xmlns:d='DAV:'><d:principal-property><d:{name}/></d:principal-property></d:principal-match>");
    assert!(found(&report(&s, users, &of_owner("owner"))) && !found(&report(&s, users, &of_owner("group"))));
    let search = |test: &str, searches: &[(&str, &str)]| {
        let searches: String =
            searches.iter().map(|(p, t)| format!("<d:property-search><d:prop><{p}/></d:prop><d:match>{t}</d:match></d:property-search>")).collect();
        format!("<d:principal-property-search xmlns:d='DAV:'{test}>{searches}<d:prop><d:displayname/></d:prop></d:principal-property-search>")
    };
    let name = "d:displayname";
    for (want, test, searches) in [
        (true, "", &[(name, "AN")][..]),
        (true, "", &[(name, "")]),
        (false, "", &[(name, "bob")]),
        (false, "", &[("d:getetag", "ann")]),
        (false, "", &[(name, "ann"), (name, "bob")]),
        (true, " test='anyof'", &[(name, "ann"), (name, "bob")]),
    ] {
        assert_eq!(found(&report(&s, users, &search(test, searches))), want, "{searches:?}");
    }
    let set = s.send("REPORT", users, &["Depth: 0"], "<d:principal-search-property-set xmlns:d='DAV:'/>").expect(200).text();
    assert!(set.contains("<d:principal-search-property><d:prop><d:displayname/></d:prop>"), "{set}");
    let owners = "<d:acl-principal-prop-set xmlns:d='DAV:'><d:prop><d:displayname/></d:prop></d:acl-principal-prop-set>";
    for place in ["/d", "/", "/dav/principals/users/ann/"] {
        assert!(report(&s, place, owners).contains("<d:displayname>ann<"), "{place}");
    }
    assert!(!found(&report(&s, "/dav/", owners)));
}

#[test]
fn properties_are_expanded() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let body = "<d:expand-property xmlns:d='DAV:'><d:property name='getetag'/><d:property name='x' namespace='u:'/><d:property name='owner'>\
        <d:property name='displayname'/><d:property name='principal-URL'><d:property name='resourcetype'/></d:property><d:property name='getetag'/>\
        </d:property></d:expand-property>";
    let text = report(&s, "/f", body);
    let owner = inside(&text, "owner");
    for want in [
        &format!("<d:owner><d:response>{PRINCIPAL}<d:propstat><d:prop><d:displayname>ann</d:displayname><d:principal-URL><d:response>{PRINCIPAL}"),
        "<d:collection/><d:principal/></d:resourcetype></d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response></d:principal-URL>",
        "<x:getetag xmlns:x=\"DAV:\"/></d:prop><d:status>HTTP/1.1 404 Not Found",
    ] {
        assert!(owner.contains(want), "{want}: {owner}");
    }
    assert!(text.contains("<x:x xmlns:x=\"u:\"/>") && text.contains("<d:getetag>"), "{text}");
    // Ten thousand steps from a principal to itself are asked for by none.
    let deep = format!("<d:expand-property xmlns:d='DAV:'>{}{}</d:expand-property>", "<d:property name='owner'>".repeat(60), "</d:property>".repeat(60));
    assert_eq!(report(&s, "/f", &deep).matches("<d:owner>").count(), 60);
}

/// A resource does what its supported-report-set says, and nothing else.
#[test]
fn supported_reports_are_told_truly() {
    let s = Server::start();
    s.send("PUT", "/f", &[], "x").expect(201);
    let bodies = [
        ("sync-collection", "<d:sync-token/><d:prop/>"),
        ("acl-principal-prop-set", "<d:prop/>"),
        ("expand-property", "<d:property name='owner'/>"),
        ("principal-match", "<d:self/>"),
        ("principal-property-search", "<d:property-search><d:prop><d:displayname/></d:prop><d:match>a</d:match></d:property-search>"),
        ("principal-search-property-set", ""),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for place in ["/", "/f", "/dav/", "/dav/files/", "/dav/principals/", "/dav/principals/users/", "/dav/principals/users/ann/"] {
        let text = s.send("PROPFIND", place, &["Depth: 0"], prop("<d:supported-report-set/>")).expect(207).text();
        for (name, body) in bodies {
            let told = text.contains(&format!("<d:report><d:{name}/></d:report>"));
            let status = s.send("REPORT", place, &["Depth: 0"], format!("<d:{name} xmlns:d='DAV:'>{body}</d:{name}>")).status;
            assert_eq!(status, if told { if name.ends_with("property-set") { 200 } else { 207 } } else { 403 }, "{name} on {place}");
            seen.extend(told.then_some(name));
        }
    }
    assert_eq!(seen.len(), bodies.len());
}

/// T32, T58: whatever ann asks, the answer is the same whether bob lives here or not.
#[test]
fn t58_nobody_learns_who_else_lives_here() {
    let s = Server::start();
    let search = "<d:principal-property-search xmlns:d='DAV:'><d:property-search><d:prop><d:displayname/></d:prop><d:match>b</d:match></d:property-search>\
        <d:prop><d:displayname/></d:prop></d:principal-property-search>";
    let of_self = "<d:principal-match xmlns:d='DAV:'><d:self/><d:prop><d:displayname/></d:prop></d:principal-match>";
    let expand =
        "<d:expand-property xmlns:d='DAV:'><d:property name='principal-collection-set'><d:property name='displayname'/></d:property></d:expand-property>";
    let requests = [
        ("PROPFIND", "/dav/principals/users/bob/", "Depth: 0", ""),
        ("PROPFIND", "/dav/principals/users/", "Depth: 1", ""),
        ("PROPFIND", "/dav/principals/", "Depth: 1", ""),
        ("PROPFIND", "/dav/files/", "Depth: 1", ""),
        ("PROPFIND", "/dav/files/bob/", "Depth: 0", ""),
        ("GET", "/dav/files/bob/", "Accept: */*", ""),
        ("GET", "/dav/files/", "Accept: */*", ""),
        ("GET", "/dav/principals/users/", "Accept: */*", ""),
        ("GET", "/dav/principals/users/bob/", "Accept: */*", ""),
        ("OPTIONS", "/dav/files/bob/", "Accept: */*", ""),
        ("MKCOL", "/dav/files/bob/", "Accept: */*", ""),
        ("REPORT", "/dav/principals/users/", "Depth: 0", search),
        ("REPORT", "/dav/principals/users/", "Depth: 0", of_self),
        ("REPORT", "/dav/principals/users/bob/", "Depth: 0", of_self),
        ("REPORT", "/dav/files/ann/", "Depth: 0", expand),
    ];
    let ask = || {
        let answer = |(method, path, header, body): &(&str, &str, &str, &str)| {
            let answer = s.send(method, path, &[header], body);
            let head: Vec<_> = answer.head.lines().filter(|l| !l.starts_with("date:")).map(str::to_owned).collect();
            (head, answer.text())
        };
        requests.iter().map(answer).collect::<Vec<_>>()
    };
    let before = ask();
    s.run(&["person", "add", "bob"]).unwrap();
    let after = ask();
    for ((request, before), after) in requests.iter().zip(&before).zip(&after) {
        assert_eq!(before, after, "{request:?}");
        assert!(!after.1.contains("bob"), "{request:?}");
    }
}

#[test]
fn t26_a_revoked_device_loses_its_open_download() {
    let s = Server::start();
    let size = 64 << 20;
    s.send("PUT", "/large", &[], vec![7; size]).expect(201);
    let secret = s.run(&["app-password", "add", "ann", "--quiet"]).unwrap();
    let request = format!("GET /dav/files/ann/large HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n", s.address, basic("ann", secret.trim()));
    let mut stream = TcpStream::connect(s.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut first = vec![0; 1 << 20];
    stream.read_exact(&mut first).unwrap();
    assert!(first.starts_with(b"HTTP/1.1 200"));
    s.run(&["app-password", "revoke", "ann", "2"]).unwrap();
    std::thread::sleep(Duration::from_millis(1_100));
    let mut rest = Vec::new();
    // It breaks off; whatever the system still held for the client comes before that.
    let _ = stream.read_to_end(&mut rest);
    assert!(rest.len() < size / 2, "{} bytes came after it was revoked", rest.len());
}
