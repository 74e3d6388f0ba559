-- name: listing
select u.tenant as organization, u.email, u.name, u.role, u.active, o.type,
    exists (select from second_factor f where f.user_id = u.id and f.confirmed_at is not null) as second_step
from app_user u join organization o on o.id = u.tenant
where $1::text is null or u.tenant = $1
order by u.tenant, u.email

-- name: person
select u.id, u.tenant, u.email, u.name, u.role, o.type
from app_user u join organization o on o.id = u.tenant
where lower(u.email) = lower($1)

-- name: add
insert into app_user (id, tenant, email, name, role, password_hash) values ($1, $2, $3, $4, $5, $6)
on conflict (lower(email)) do nothing

-- name: set_role
update app_user set role = $2 where id = $1

-- name: set_active
update app_user set active = $2 where id = $1

-- name: set_password
update app_user set password_hash = $2, active = true where id = $1

-- name: end_sessions
delete from session where user_id = $1

-- name: end_links
delete from login_link where user_id = $1

-- name: end_second_factor
delete from second_factor where user_id = $1
