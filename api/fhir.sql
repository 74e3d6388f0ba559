-- name: organizations
select id, type from organization where active and type in ('cbo', 'mco')
