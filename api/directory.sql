-- name: organizations
select o.id, o.name, o.type,
    (select s.body ->> 'organization' from service s where s.tenant = o.id order by s.id limit 1) as hsds
from organization o where o.active and o.id > $1 order by o.id limit $2

-- name: services
select routing::text as routing, body::text as body from service

-- name: owner
select tenant from service where id = $1
