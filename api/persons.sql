-- The links of the caller's hub: row-level security shows no other's.

-- name: links
select id, version, data::text as data, at from stream
where kind = 'person-link'
    and ($1::text is null or data ->> 'status' = $1)
    and ($2::timestamptz is null or at < $2 or (at = $2 and id > $3::uuid))
order by at desc, id
limit $4

-- name: link
select id, version, data::text as data, at from stream where kind = 'person-link' and id = $1
