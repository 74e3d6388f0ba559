-- name: links
select id, version, data::text as data, at from stream
where kind = 'person-link'
    and tenant = $5 -- seen by: owner
    and ($1::text is null or data ->> 'status' = $1)
    and ($2::timestamptz is null or at < $2 or (at = $2 and id > $3::uuid))
order by at desc, id
limit $4

-- name: link
select id, version, data::text as data, at from stream where kind = 'person-link' and id = $1
    and tenant = $2 -- seen by: owner
