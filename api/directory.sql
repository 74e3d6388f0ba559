-- name: organizations
select id, name, type from organization where active and id > $1 order by id limit $2

-- name: services
select routing::text as routing, body::text as body from service

-- name: owner
select tenant from service where id = $1
