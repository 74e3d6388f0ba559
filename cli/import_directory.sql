-- name: services_in_force
select id, version, routing::text as routing, body::text as body from service

-- name: services_count
select count(*) from service
