-- The people of an organization by their names: organization, the last one of the page before, limit.
-- name: listing
select u.id, u.email, u.name, u.role, u.active, l.at as last_log_in,
    exists (select from second_factor f where f.user_id = u.id and f.confirmed_at is not null) as second_step
from app_user u
left join last_log_in l on l.user_id = u.id
where u.tenant = $1 -- seen by: owner
    and ($2::uuid is null or (lower(u.name), u.id) > (select lower(b.name), b.id from app_user b where b.id = $2))
order by lower(u.name), u.id
limit $3

-- name: one
select u.id, u.tenant, u.email, u.name, u.role, u.active, l.at as last_log_in,
    exists (select from second_factor f where f.user_id = u.id and f.confirmed_at is not null) as second_step
from app_user u
left join last_log_in l on l.user_id = u.id
where u.id = $1

-- Whoever changes people holds their organization's admins, so that no two acts leave it without one.
-- name: hold_admins
select id from app_user where tenant = $1 and role = $2 and active order by id for no key update

-- name: add
insert into app_user (id, tenant, email, name, role, password_hash) values ($1, $2, $3, $4, $5, $6)
on conflict (lower(email)) do nothing

-- name: set_role
update app_user set role = $2 where id = $1

-- name: set_active
update app_user set active = $2 where id = $1

-- name: set_password
update app_user set password_hash = $2, active = true where id = $1

-- name: invite
insert into login_link (id, tenant, user_id, language, asked_at, next_at, invited) values ($1, $2, $3, $4, $5, $5, true)

-- name: end_sessions
delete from session where user_id = $1

-- name: end_links
delete from login_link where user_id = $1

-- name: end_second_factor
delete from second_factor where user_id = $1
