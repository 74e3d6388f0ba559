-- What decisions may look at, besides the referrals of the batch.

-- name: directory_version
select version from directory_version

-- name: services
select s.routing::text as routing, c.data::text as said
from service s left join stream c on c.kind = 'capacity' and c.id = s.id and c.tenant = s.tenant
order by s.id

-- name: changed_services
select s.routing::text as routing, c.data::text as said
from directory_change d
join service s using (id)
left join stream c on c.kind = 'capacity' and c.id = s.id and c.tenant = s.tenant
where d.version > $1
order by s.id

-- name: organizations
select id, type, webhook_url from organization where active order by created_at, id

-- name: loads
select recipient, count(*)::int as open from hop
where status in ('requested', 'accepted', 'in-progress', 'on-hold') group by recipient
