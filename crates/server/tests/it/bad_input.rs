//! Hostile and broken requests, a row each, named after the threat (T01–T14) or the rule it stands for: the named
//! status, and the server goes on. What needs more than one request or more than a status is in `limits.rs`,
//! `framing.rs` and `access_control.rs`.

use crate::server::{Server, basic};

/// name, status, method, path, headers, body
type Row<'a> = (&'a str, u16, &'a str, &'a str, &'a [&'a str], &'a str);

/// A folder `/d`, a file `/f`, a folder `/d/sub`.
fn check(table: &[Row]) {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("MKCOL", "/d/sub", &[], "").expect(201);
    s.send("PUT", "/f", &[], "kept").expect(201);
    let mut wrong = Vec::new();
    for (name, status, method, path, headers, body) in table {
        let answer = s.send(method, path, headers, body);
        if answer.status != *status {
            let body: String = body.chars().take(200).collect();
            wrong.push(format!("{name}: {} and not {status}: {method} {path:.100} {headers:.200?} {body}\n{}", answer.status, answer.text()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: std::collections::BTreeSet<_> = table.iter().map(|row| row.0).collect();
    assert_eq!(names.len(), table.len(), "each row has a name of its own");
    assert_eq!(s.send("GET", "/f", &[], "").expect(200).text(), "kept");
    s.send("PROPFIND", "/d/sub", &["Depth: 0"], "").expect(207);
}

#[test]
fn t01_paths() {
    let long = format!("/{}", "x".repeat(256));
    let long_decoded = format!("/{}", "%C3%A9".repeat(128));
    let longest = format!("/{}", "x".repeat(255));
    let deep = "/d".repeat(129);
    let too_long = format!("/{}", "x/".repeat(4_100));
    let query = format!("/f?{}", "q".repeat(9_000));
    let into_long = format!("Destination: /dav/files/ann/{}", "x".repeat(256));
    check(&[
        ("t01_dot_dot", 400, "PUT", "/a/../../etc", &[], ""),
        ("t01_dot_dot_in_the_prefix", 400, "GET", "/dav/files/ann/../bob/", &[], ""),
        ("t01_dot", 400, "GET", "/./f", &[], ""),
        ("t01_escaped_dots", 400, "PUT", "/%2e%2e/x", &[], ""),
        ("t01_half_escaped_dots", 400, "PUT", "/.%2E/x", &[], ""),
        ("t01_escaped_twice_is_a_name", 201, "PUT", "/%252e%252e", &[], ""),
        ("t01_escaped_twice_is_only_a_name", 409, "PUT", "/%252e%252e%252fetc/x", &[], ""),
        ("t01_escaped_slash", 400, "GET", "/a%2fb", &[], ""),
        ("t01_nul", 400, "GET", "/a%00", &[], ""),
        ("t01_control_character", 400, "PUT", "/a%0d%0ab", &[], ""),
        ("t01_delete_character", 400, "PUT", "/a%7f", &[], ""),
        ("t01_c1_control_character", 400, "PUT", "/a%C2%85", &[], ""),
        ("t01_no_hexadecimal_digits", 400, "GET", "/%zz", &[], ""),
        ("t01_escape_cut_short", 400, "GET", "/a%2", &[], ""),
        ("t01_unicode_escape", 400, "GET", "/%u0041", &[], ""),
        ("t01_not_utf8", 400, "GET", "/%ff", &[], ""),
        ("t01_overlong_utf8", 400, "GET", "/%c0%ae%c0%ae/x", &[], ""),
        ("t01_surrogate", 400, "GET", "/%ed%a0%80", &[], ""),
        ("t01_escaped_backslashes_are_a_name", 201, "PUT", "/..%5C..%5Cx", &[], ""),
        ("t01_parameters_are_a_name", 201, "PUT", "/f;..;v=1", &[], ""),
        ("t01_colon_is_a_name", 201, "PUT", "/C:%5Cx", &[], ""),
        ("t01_empty_segments_do_not_count", 200, "GET", "//f", &[], ""),
        ("t01_longest_name", 201, "PUT", &longest, &[], ""),
        ("t01_name_too_long", 400, "PUT", &long, &[], ""),
        ("t01_name_too_long_once_decoded", 400, "PUT", &long_decoded, &[], ""),
        ("t01_destination_name_too_long", 400, "COPY", "/f", &[&into_long], ""),
        ("t01_path_too_deep", 400, "PUT", &deep, &[], ""),
        ("t01_uri_too_long", 414, "GET", &too_long, &[], ""),
        ("t01_query_too_long", 414, "GET", &query, &[], ""),
    ]);
}

#[test]
fn t08_destinations() {
    check(&[
        ("bad_destination_on_another_host", 502, "COPY", "/f", &["Destination: http://elsewhere.example/dav/files/ann/g"], ""),
        ("bad_destination_on_another_port", 502, "COPY", "/f", &["Destination: http://127.0.0.1:1/dav/files/ann/g"], ""),
        ("bad_destination_of_another_scheme", 502, "COPY", "/f", &["Destination: ftp://127.0.0.1/dav/files/ann/g"], ""),
        ("bad_destination_beginning_with_two_slashes", 502, "COPY", "/f", &["Destination: //elsewhere.example/g"], ""),
        ("bad_destination_missing", 400, "COPY", "/f", &[], ""),
        ("bad_destination_missing_in_a_move", 400, "MOVE", "/f", &[], ""),
        ("bad_destination_relative", 400, "COPY", "/f", &["Destination: g"], ""),
        ("bad_destination_empty", 400, "COPY", "/f", &["Destination:"], ""),
        ("bad_destination_not_escaped_well", 400, "COPY", "/f", &["Destination: /dav/files/ann/%zz"], ""),
        ("bad_destination_with_a_fragment", 400, "COPY", "/f", &["Destination: /dav/files/ann/g#x"], ""),
        ("bad_destination_twice", 400, "COPY", "/f", &["Destination: /dav/files/ann/g", "Destination: /dav/files/ann/h"], ""),
        ("t01_destination_with_dots", 400, "COPY", "/f", &["Destination: /dav/files/ann/%2e%2e/bob/g"], ""),
        ("t01_destination_with_nul", 400, "COPY", "/f", &["Destination: /dav/files/ann/g%00"], ""),
        ("t08_destination_of_another_person", 502, "COPY", "/f", &["Destination: /dav/files/bob/g"], ""),
        ("t08_destination_above_the_tree", 502, "COPY", "/f", &["Destination: /dav/files/"], ""),
        ("t08_destination_is_a_principal", 502, "COPY", "/f", &["Destination: /dav/principals/users/ann/"], ""),
        ("t08_destination_begins_like_the_tree", 502, "COPY", "/f", &["Destination: /dav/files/ann-x/g"], ""),
        ("t08_destination_is_the_root", 403, "COPY", "/f", &["Destination: /dav/files/ann/"], ""),
        ("bad_copy_onto_itself", 403, "COPY", "/f", &["Destination: /dav/files/ann/f"], ""),
        ("bad_move_onto_itself", 403, "MOVE", "/f", &["Destination: /dav/files/ann/f"], ""),
        ("bad_move_into_itself", 403, "MOVE", "/d", &["Destination: /dav/files/ann/d/e"], ""),
        ("bad_copy_into_itself", 403, "COPY", "/d", &["Destination: /dav/files/ann/d/e"], ""),
        ("bad_copy_over_what_holds_it", 403, "COPY", "/d/sub", &["Destination: /dav/files/ann/d"], ""),
        ("bad_move_of_the_root", 403, "MOVE", "/", &["Destination: /dav/files/ann/e"], ""),
        ("bad_copy_of_the_root", 403, "COPY", "/", &["Destination: /dav/files/ann/e"], ""),
        ("bad_overwrite", 400, "COPY", "/f", &["Destination: /dav/files/ann/g", "Overwrite: X"], ""),
        ("bad_overwrite_empty", 400, "COPY", "/f", &["Destination: /dav/files/ann/g", "Overwrite:"], ""),
        ("bad_overwrite_twice", 400, "COPY", "/f", &["Destination: /dav/files/ann/d", "Overwrite: F", "Overwrite: T"], ""),
        ("bad_overwrite_in_other_bytes", 400, "MOVE", "/f", &["Destination: /dav/files/ann/d", "Overwrite: F\u{e9}"], ""),
        ("copy_without_overwrite", 412, "COPY", "/f", &["Destination: /dav/files/ann/d", "Overwrite: F"], ""),
        ("copy_to_a_missing_parent", 409, "COPY", "/f", &["Destination: /dav/files/ann/no/g"], ""),
        ("copy_below_a_file", 409, "COPY", "/d", &["Destination: /dav/files/ann/f/g"], ""),
        ("copy_of_nothing", 404, "COPY", "/no", &["Destination: /dav/files/ann/g"], ""),
        ("copy_with_depth_1", 400, "COPY", "/d", &["Destination: /dav/files/ann/e", "Depth: 1"], ""),
        ("move_of_a_collection_with_depth_0", 400, "MOVE", "/d", &["Destination: /dav/files/ann/e", "Depth: 0"], ""),
    ]);
}

#[test]
fn methods_and_depths() {
    check(&[
        ("bad_depth", 400, "PROPFIND", "/d", &["Depth: 2"], ""),
        ("bad_depth_negative", 400, "PROPFIND", "/d", &["Depth: -1"], ""),
        ("bad_depth_empty", 400, "PROPFIND", "/d", &["Depth:"], ""),
        ("bad_depth_twice", 400, "PROPFIND", "/d", &["Depth: 0", "Depth: 1"], ""),
        ("bad_depth_of_a_delete", 400, "DELETE", "/d", &["Depth: x"], ""),
        ("bad_depth_of_a_lock", 400, "LOCK", "/d", &["Depth: 1"], ""),
        ("bad_depth_above_the_tree", 400, "PROPFIND", "/dav/", &["Depth: 2"], ""),
        ("t05_depth_infinity", 403, "PROPFIND", "/d", &["Depth: infinity"], ""),
        ("t05_depth_missing_is_infinity", 403, "PROPFIND", "/d", &[], ""),
        ("t05_depth_infinity_above_the_tree", 403, "PROPFIND", "/dav/", &["Depth: infinity"], ""),
        ("t05_depth_infinity_of_a_file", 207, "PROPFIND", "/f", &["Depth: infinity"], ""),
        ("bad_delete_of_the_root", 403, "DELETE", "/", &[], ""),
        ("bad_delete_above_the_tree", 403, "DELETE", "/dav/files/", &[], ""),
        ("bad_delete_of_a_collection_with_depth_0", 400, "DELETE", "/d", &["Depth: 0"], ""),
        ("bad_delete_of_a_collection_with_depth_1", 400, "DELETE", "/d", &["Depth: 1"], ""),
        ("delete_of_nothing", 404, "DELETE", "/no", &[], ""),
        ("bad_unknown_method", 501, "BREW", "/f", &[], ""),
        ("bad_unknown_method_above_the_tree", 501, "BREW", "/dav/", &[], ""),
        ("bad_method_in_small_letters", 501, "get", "/f", &[], ""),
        ("bad_post", 405, "POST", "/f", &[], ""),
        ("bad_trace", 405, "TRACE", "/f", &[], ""),
        ("bad_put_above_the_tree", 405, "PUT", "/dav/", &[], ""),
        ("bad_put_on_a_collection", 405, "PUT", "/d", &[], ""),
        ("bad_put_on_the_root", 405, "PUT", "/", &[], ""),
        ("bad_mkcol_on_a_collection", 405, "MKCOL", "/d", &[], ""),
        ("bad_mkcol_on_a_file", 405, "MKCOL", "/f", &[], ""),
        ("bad_mkcol_on_the_root", 405, "MKCOL", "/", &[], ""),
        ("put_below_a_missing_folder", 409, "PUT", "/no/f", &[], ""),
        ("put_below_a_file", 409, "PUT", "/f/g", &[], ""),
        ("mkcol_below_a_missing_folder", 409, "MKCOL", "/no/f", &[], ""),
        ("lock_below_a_missing_folder", 409, "LOCK", "/no/f", &[], LOCKINFO),
        ("get_of_nothing", 404, "GET", "/no", &[], ""),
        ("get_below_a_file", 404, "GET", "/f/g", &[], ""),
        ("t58_principal_of_somebody_else", 404, "PROPFIND", "/dav/principals/users/bob/", &["Depth: 0"], ""),
        ("t58_tree_of_somebody_else", 404, "PROPFIND", "/dav/files/bob/", &["Depth: 0"], ""),
        ("get_above_the_tree", 404, "GET", "/dav/no", &[], ""),
        ("mkcol_with_a_body_of_no_known_type", 415, "MKCOL", "/e", &["Content-Type: text/plain"], "hello"),
        ("mkcol_with_another_body", 415, "MKCOL", "/e", &["Content-Type: text/xml"], "<d:propfind xmlns:d='DAV:'/>"),
        ("bad_content_range_of_a_put", 400, "PUT", "/f", &["Content-Range: bytes 0-1/2"], "xx"),
        ("bad_content_encoding_of_a_put", 415, "PUT", "/f", &["Content-Encoding: gzip"], "xx"),
        ("bad_content_encoding_of_a_propfind", 415, "PROPFIND", "/d", &["Depth: 0", "Content-Encoding: deflate"], "xx"),
        ("content_encoding_identity", 201, "PUT", "/identity", &["Content-Encoding: identity"], "xx"),
    ]);
}

const LOCKINFO: &str = "<d:lockinfo xmlns:d='DAV:'><d:lockscope><d:exclusive/></d:lockscope><d:locktype><d:write/></d:locktype></d:lockinfo>";

#[test]
fn t07_conditions_and_locks() {
    let lists = format!("If: {}", "(<urn:x>)".repeat(33));
    let terms = format!("If: ({})", "<a>".repeat(129));
    let long = format!("If: (<urn:{}>)", "x".repeat(50_000));
    let parentheses = format!("If: {}", "(".repeat(60_000));
    let owner = LOCKINFO.replace("</d:lockinfo>", &format!("<d:owner>{}</d:owner></d:lockinfo>", "x".repeat(5_000)));
    let both = LOCKINFO.replace("<d:exclusive/>", "<d:exclusive/><d:shared/>");
    check(&[
        ("t07_if_with_too_many_lists", 400, "PUT", "/f", &[&lists], ""),
        ("t07_if_with_too_many_terms", 400, "PUT", "/f", &[&terms], ""),
        ("t07_if_too_long", 400, "PUT", "/f", &[&long], ""),
        ("t07_if_of_parentheses", 400, "PUT", "/f", &[&parentheses], ""),
        ("bad_if_not_closed", 400, "PUT", "/f", &["If: (<a>"], ""),
        ("bad_if_closed_twice", 400, "PUT", "/f", &["If: (<a>))"], ""),
        ("bad_if_empty", 400, "PUT", "/f", &["If:"], ""),
        ("bad_if_with_an_empty_list", 400, "PUT", "/f", &["If: ()"], ""),
        ("bad_if_tag_without_a_list", 400, "PUT", "/f", &["If: </f>"], ""),
        ("bad_if_twice", 400, "PUT", "/f", &["If: (Not <DAV:no-lock>)", "If: (<urn:x>)"], ""),
        ("if_of_an_unknown_token", 412, "PUT", "/f", &["If: (<urn:x>)"], ""),
        ("if_no_lock", 412, "PUT", "/f", &["If: (<DAV:no-lock>)"], ""),
        ("if_no_lock_with_an_etag", 412, "DELETE", "/f", &["If: (<DAV:no-lock> [\"x\"])"], ""),
        ("if_tagged_elsewhere", 412, "PUT", "/f", &["If: <http://elsewhere.example/f> ([\"x\"])"], ""),
        ("bad_if_match_in_other_bytes", 412, "PUT", "/f", &["If-Match: \"\u{e9}\""], ""),
        ("if_match_weak", 412, "PUT", "/f", &["If-Match: W/\"x\""], ""),
        ("if_match_any_of_nothing", 412, "PUT", "/no", &["If-Match: *"], ""),
        ("if_none_match_any", 412, "PUT", "/f", &["If-None-Match: *"], ""),
        ("if_unmodified_since_long_ago", 412, "PUT", "/f", &["If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT"], ""),
        ("if_unmodified_since_long_ago_in_a_get", 412, "GET", "/f", &["If-Unmodified-Since: Sun, 09 Sep 2001 01:46:40 GMT"], ""),
        ("bad_unlock_without_a_token", 400, "UNLOCK", "/f", &[], ""),
        ("bad_unlock_of_an_alien_token", 409, "UNLOCK", "/f", &["Lock-Token: <urn:x>"], ""),
        ("bad_unlock_of_an_empty_token", 409, "UNLOCK", "/f", &["Lock-Token: <>"], ""),
        ("bad_refresh_without_a_token", 400, "LOCK", "/f", &[], ""),
        ("bad_refresh_of_an_alien_token", 412, "LOCK", "/f", &["If: (<urn:x>)"], ""),
        ("bad_lock_body", 400, "LOCK", "/f", &[], "<d:propfind xmlns:d='DAV:'/>"),
        ("bad_lock_of_both_scopes", 400, "LOCK", "/f", &[], &both),
        ("bad_lock_of_no_type", 400, "LOCK", "/f", &[], "<d:lockinfo xmlns:d='DAV:'><d:lockscope><d:shared/></d:lockscope></d:lockinfo>"),
        ("bad_lock_owner_too_long", 400, "LOCK", "/f", &[], &owner),
    ]);
}

#[test]
fn t03_t04_xml() {
    let propfind = |inner: &str| format!("<d:propfind xmlns:d='DAV:'>{inner}</d:propfind>");
    let laughs = "<!DOCTYPE a [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>]><d:propfind xmlns:d='DAV:'><d:allprop/>&b;</d:propfind>";
    let external = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><d:propfind xmlns:d='DAV:'><d:prop><d:x>&x;</d:x></d:prop></d:propfind>";
    let dtd = "<!DOCTYPE a SYSTEM 'http://127.0.0.1:1/x.dtd'><d:propfind xmlns:d='DAV:'><d:allprop/></d:propfind>";
    let deep = propfind(&("<d:a>".repeat(100) + &"</d:a>".repeat(100)));
    let attributes = propfind(&format!("<d:allprop {}/>", (0..65).map(|n| format!("a{n}='' ")).collect::<String>()));
    let props = propfind(&format!("<d:prop>{}</d:prop>", (0..513).map(|n| format!("<d:p{n}/>")).collect::<String>()));
    let names = propfind(&format!("<d:prop>{}</d:prop>", (0..100).map(|n| format!("<d:p{n}{}/>", "x".repeat(1_000))).collect::<String>()));
    let elements = propfind(&"<d:x/>".repeat(25_000));
    let sets: String = (0..513).map(|n| format!("<d:set><d:prop><p{n}/></d:prop></d:set>")).collect();
    let sets = format!("<d:propertyupdate xmlns:d='DAV:'>{sets}</d:propertyupdate>");
    let large = " ".repeat(2 << 20);
    let mkcol = |prop: &str| format!("<d:mkcol xmlns:d='DAV:'><d:set><d:prop>{prop}</d:prop></d:set></d:mkcol>");
    let (typed, protected) = (mkcol("<d:resourcetype><d:collection/><x xmlns='u:'/></d:resourcetype>"), mkcol("<d:getetag>x</d:getetag>"));
    let zero: &[&str] = &["Depth: 0"];
    check(&[
        ("t03_billion_laughs", 400, "PROPFIND", "/d", zero, laughs),
        ("t03_external_entity", 400, "PROPFIND", "/d", zero, external),
        ("t03_external_dtd", 400, "PROPFIND", "/d", zero, dtd),
        ("t03_undeclared_entity", 400, "PROPFIND", "/d", zero, &propfind("<d:allprop/>&x;")),
        ("t03_dtd_in_a_lock", 400, "LOCK", "/f", &[], dtd),
        ("t03_dtd_in_a_proppatch", 400, "PROPPATCH", "/f", &[], dtd),
        ("t03_dtd_in_a_mkcol", 400, "MKCOL", "/e", &[], dtd),
        ("t03_dtd_in_a_report", 400, "REPORT", "/d", &[], dtd),
        ("t03_dtd_above_the_tree", 400, "PROPFIND", "/dav/", zero, dtd),
        ("t04_too_deep", 400, "PROPFIND", "/d", zero, &deep),
        ("t04_too_many_attributes", 400, "PROPFIND", "/d", zero, &attributes),
        ("t04_too_many_properties", 400, "PROPFIND", "/d", zero, &props),
        ("t04_names_too_long_together", 400, "PROPFIND", "/d", zero, &names),
        ("t04_too_many_elements", 400, "PROPFIND", "/d", zero, &elements),
        ("t04_too_many_changes", 400, "PROPPATCH", "/f", &[], &sets),
        ("bad_propfind_body_of_2_mb", 413, "PROPFIND", "/d", zero, &large),
        ("bad_propfind_body_of_2_mb_above_the_tree", 413, "PROPFIND", "/dav/", zero, &large),
        ("bad_xml_cut_short", 400, "PROPFIND", "/d", zero, "<d:propfind xmlns:d='DAV:'>"),
        ("bad_xml_prefix_undeclared", 400, "PROPFIND", "/d", zero, "<propfind xmlns='DAV:' xmlns:a=''><allprop/></propfind>"),
        ("bad_xml_prefix_unknown", 400, "PROPFIND", "/d", zero, "<d:propfind/>"),
        ("bad_xml_not_utf8", 400, "PROPFIND", "/d", zero, "<d:propfind xmlns:d='DAV:'>\u{1}</d:propfind>"),
        ("bad_xml_asks_for_nothing", 400, "PROPFIND", "/d", zero, &propfind("")),
        ("bad_xml_of_another_root", 400, "PROPFIND", "/d", zero, "<d:mkcol xmlns:d='DAV:'/>"),
        ("unknown_siblings_do_not_count", 207, "PROPFIND", "/d", zero, &propfind("<x xmlns='u:'/><d:allprop/>")),
        ("bad_proppatch_without_a_body", 400, "PROPPATCH", "/f", &[], ""),
        ("bad_proppatch_of_nothing", 400, "PROPPATCH", "/f", &[], "<d:propertyupdate xmlns:d='DAV:'/>"),
        ("bad_mkcol_of_another_type", 403, "MKCOL", "/e", &[], &typed),
        ("bad_mkcol_of_a_protected_property", 403, "MKCOL", "/e", &[], &protected),
    ]);
}

#[test]
fn t13_ranges_and_partial_updates() {
    let partial = "Content-Type: application/x-sabredav-partialupdate";
    let many = format!("Range: bytes={}", ["0-0"; 10_000].join(","));
    check(&[
        ("t13_range_of_10000", 200, "GET", "/f", &[&many], ""),
        ("t13_range_overlapping", 206, "GET", "/f", &["Range: bytes=0-,0-,0-"], ""),
        ("t13_range_beyond_the_numbers", 416, "GET", "/f", &["Range: bytes=99999999999999999999-"], ""),
        ("t13_range_backwards", 200, "GET", "/f", &["Range: bytes=3-1"], ""),
        ("t13_range_twice", 200, "GET", "/f", &["Range: bytes=0-0", "Range: bytes=2-2"], ""),
        ("t13_range_of_another_unit", 200, "GET", "/f", &["Range: lines=1-2"], ""),
        ("t13_range_of_a_head", 200, "HEAD", "/f", &["Range: bytes=0-0"], ""),
        ("range_beyond_the_end", 416, "GET", "/f", &["Range: bytes=4-"], ""),
        ("range_of_an_older_state", 200, "GET", "/f", &["Range: bytes=0-0", "If-Range: \"x\""], ""),
        ("range_with_a_weak_if_range", 200, "GET", "/f", &["Range: bytes=0-0", "If-Range: W/\"x\""], ""),
        ("patch_of_another_type", 415, "PATCH", "/f", &[], "x"),
        ("patch_without_a_range", 400, "PATCH", "/f", &[partial], "x"),
        ("patch_of_another_unit", 400, "PATCH", "/f", &[partial, "X-Update-Range: lines=1-1"], "x"),
        ("patch_range_backwards", 416, "PATCH", "/f", &[partial, "X-Update-Range: bytes=3-1"], "x"),
        ("patch_range_and_body_differ", 416, "PATCH", "/f", &[partial, "X-Update-Range: bytes=0-3"], "x"),
        ("t14_patch_beyond_the_end", 416, "PATCH", "/f", &[partial, "X-Update-Range: bytes=1000000000000-"], "x"),
        ("t13_patch_overflow", 416, "PATCH", "/f", &[partial, "X-Update-Range: bytes=0-18446744073709551615"], "x"),
        ("t13_patch_beyond_the_numbers", 400, "PATCH", "/f", &[partial, "X-Update-Range: bytes=99999999999999999999-"], "x"),
        ("t13_patch_with_a_sign", 400, "PATCH", "/f", &[partial, "X-Update-Range: bytes=+1-1"], "x"),
        ("t13_patch_before_the_beginning", 416, "PATCH", "/f", &[partial, "X-Update-Range: bytes=-5"], "x"),
        ("patch_of_a_collection", 405, "PATCH", "/d", &[partial, "X-Update-Range: append"], "x"),
        ("patch_of_nothing", 404, "PATCH", "/no", &[partial, "X-Update-Range: append"], "x"),
        ("patch_range_twice", 400, "PATCH", "/f", &[partial, "X-Update-Range: append", "X-Update-Range: bytes=0-0"], "x"),
    ]);
}

#[test]
fn reports() {
    let sync = |token: &str, more: &str| format!("<d:sync-collection xmlns:d='DAV:'><d:sync-token>{token}</d:sync-token>{more}<d:prop/></d:sync-collection>");
    let root = |inner: &str| format!("<d:{inner} xmlns:d='DAV:'/>");
    check(&[
        ("bad_sync_token", 403, "REPORT", "/d", &[], &sync("urn:x", "")),
        ("bad_sync_token_of_the_future", 403, "REPORT", "/d", &[], &sync("urn:holm:sync:3-999999", "")),
        ("bad_sync_token_of_another_collection", 403, "REPORT", "/d", &[], &sync("urn:holm:sync:1-1", "")),
        ("bad_sync_token_beyond_the_numbers", 403, "REPORT", "/d", &[], &sync("urn:holm:sync:3-99999999999999999999", "")),
        ("bad_sync_token_of_a_name", 403, "REPORT", "/d", &[], &sync("urn:holm:sync:3-1/../x", "")),
        ("bad_sync_level", 400, "REPORT", "/d", &[], &sync("", "<d:sync-level>2</d:sync-level>")),
        ("bad_sync_limit", 400, "REPORT", "/d", &[], &sync("", "<d:limit><d:nresults>x</d:nresults></d:limit>")),
        ("bad_sync_depth", 400, "REPORT", "/d", &["Depth: infinity"], &sync("", "")),
        ("bad_sync_without_a_token", 400, "REPORT", "/d", &[], &root("sync-collection")),
        ("bad_sync_of_a_file", 403, "REPORT", "/f", &[], &sync("", "")),
        ("bad_report_without_a_body", 400, "REPORT", "/d", &[], ""),
        ("bad_report_unknown", 403, "REPORT", "/d", &[], &root("version-tree")),
        ("bad_report_of_another_namespace", 403, "REPORT", "/d", &[], "<sync-collection xmlns='u:'/>"),
        ("bad_report_on_nothing", 404, "REPORT", "/no", &[], &root("expand-property")),
        ("bad_report_above_the_tree", 403, "REPORT", "/dav/", &[], &root("sync-collection")),
        ("bad_report_depth", 400, "REPORT", "/d", &["Depth: 1"], &root("expand-property")),
        ("principal_match_in_the_tree", 403, "REPORT", "/d", &[], &root("principal-match")),
        ("principal_search_in_the_tree", 403, "REPORT", "/d", &[], &root("principal-property-search")),
        ("bad_principal_match", 400, "REPORT", "/dav/principals/users/", &[], &root("principal-match")),
        ("bad_principal_search", 400, "REPORT", "/dav/principals/users/", &[], &root("principal-property-search")),
        ("bad_expand_property", 400, "REPORT", "/d", &[], "<d:expand-property xmlns:d='DAV:'><d:property name='a b'/></d:expand-property>"),
        ("bad_acl", 403, "ACL", "/f", &[], "<d:acl xmlns:d='DAV:'/>"),
        ("bad_acl_above_the_tree", 403, "ACL", "/dav/principals/users/ann/", &[], "<d:acl xmlns:d='DAV:'/>"),
    ]);
}

/// The DAV:error bodies of refusals: RFC 4918 §16 and its like.
#[test]
fn refusals_say_which_condition_was_not_met() {
    let s = Server::start();
    s.send("MKCOL", "/d", &[], "").expect(201);
    s.send("PUT", "/f", &[], "x").expect(201);
    let token = s.send("LOCK", "/d", &[], LOCKINFO).expect(200).header("lock-token").unwrap().to_owned();
    let reader = s.run(&["app-password", "add", "ann", "--read-only", "--quiet"]).unwrap();
    let reader = basic("ann", reader.trim());
    let error = |answer: crate::server::Answer, status: u16, want: &str| {
        let text = answer.expect(status).text();
        assert!(text.contains(&format!("<d:error xmlns:d=\"DAV:\">{want}")), "{want}: {text}");
    };
    error(s.send("PROPFIND", "/d", &[], ""), 403, "<d:propfind-finite-depth/>");
    error(s.send("PUT", "/d/x", &[], ""), 423, "<d:lock-token-submitted><d:href>/dav/files/ann/d/</d:href></d:lock-token-submitted>");
    error(s.send("LOCK", "/d/x", &[], LOCKINFO), 423, "<d:lock-token-submitted><d:href>/dav/files/ann/d/</d:href></d:lock-token-submitted>");
    error(s.send("LOCK", "/d", &[], LOCKINFO), 423, "<d:no-conflicting-lock><d:href>/dav/files/ann/d/</d:href></d:no-conflicting-lock>");
    let child = s.send("LOCK", "/d/x", &[&format!("If: </dav/files/ann/d/> ({token})")], LOCKINFO);
    error(child, 423, "<d:no-conflicting-lock><d:href>/dav/files/ann/d/</d:href></d:no-conflicting-lock>");
    error(s.send("UNLOCK", "/f", &[&format!("Lock-Token: {token}")], ""), 409, "<d:lock-token-matches-request-uri/>");
    error(s.send("REPORT", "/f", &[], "<d:sync-collection xmlns:d='DAV:'/>"), 403, "<d:supported-report/>");
    let stale = "<d:sync-collection xmlns:d='DAV:'><d:sync-token>urn:x</d:sync-token><d:prop/></d:sync-collection>";
    error(s.send("REPORT", "/d", &[], stale), 403, "<d:valid-sync-token/>");
    let typed = "<d:mkcol xmlns:d='DAV:'><d:set><d:prop><d:resourcetype><d:x/></d:resourcetype></d:prop></d:set></d:mkcol>";
    error(s.send("MKCOL", "/e", &[], typed), 403, "<d:valid-resourcetype/>");
    let privilege = |name: &str, path: &str| {
        format!("<d:need-privileges><d:resource><d:href>/dav/files/ann{path}</d:href><d:privilege><d:{name}/></d:privilege></d:resource></d:need-privileges>")
    };
    error(s.send_as(&reader, "PUT", "/f", &[], ""), 403, &privilege("write", "/f"));
    error(s.send_as(&reader, "LOCK", "/", &["Depth: infinity"], LOCKINFO), 403, &privilege("write", "/"));
    error(s.send("ACL", "/f", &[], ""), 403, &privilege("write-acl", "/f"));
    let failed = "<d:mkcol xmlns:d='DAV:'><d:set><d:prop><x xmlns='u:'/><d:getetag>x</d:getetag></d:prop></d:set></d:mkcol>";
    let failed = s.send("MKCOL", "/e", &[], failed).expect(403).text();
    assert!(failed.contains("<d:mkcol-response") && failed.contains("403 Forbidden") && failed.contains("424 Failed Dependency"), "{failed}");
    s.send("GET", "/e", &[], "").expect(404);
    for (method, path, want) in [("PUT", "/d", "PROPFIND"), ("PUT", "/dav/", "OPTIONS, GET, HEAD, PROPFIND, REPORT")] {
        let answer = s.send(method, path, &[], "").expect(405);
        assert!(answer.header("allow").unwrap().contains(want) && answer.header("cache-control") == Some("no-store"), "{}", answer.head);
    }
}

#[test]
fn t31_wrong_passwords_are_throttled_and_owners_are_not() {
    let s = Server::start();
    s.send("GET", "/", &[], "").expect(200);
    let wrong = basic("ann", "wrong");
    let statuses: Vec<u16> = (0..25).map(|_| s.send_as(&wrong, "GET", "/", &[], "").status).collect();
    assert_eq!(statuses.iter().filter(|c| **c == 401).count(), 20, "{statuses:?}");
    assert_eq!(statuses.last(), Some(&429));
    s.send("GET", "/", &[], "").expect(200);
    // One that is right but new here waits like the wrong ones, or guessing would go on.
    let fresh = basic("ann", s.run(&["app-password", "add", "ann", "--quiet"]).unwrap().trim());
    s.send_as(&fresh, "GET", "/", &[], "").expect(429);
    let answer = s.send_as("Bearer x", "GET", "/", &[], "").expect(401);
    assert!(answer.header("www-authenticate").unwrap().starts_with("Basic realm="));
}
