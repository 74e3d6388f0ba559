-- What decisions may look at, besides the referrals of the batch.

-- name: directory_version
select version from directory_version

-- name: services
select routing::text as routing from service order by id

-- name: changed_services
select s.routing::text as routing from directory_change c join service s using (id) where c.version > $1 order by id

-- name: organizations
select id, type, webhook_url from organization where active order by created_at, id

-- name: loads
select recipient, count(*)::int as open from hop
where status in ('requested', 'accepted', 'in-progress', 'on-hold') group by recipient
