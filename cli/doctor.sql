-- name: server
select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
    (select rolsuper from pg_roles where rolname = current_user) as superuser

-- name: clock
select clock_timestamp() as now

-- name: kafka_participants
select id, kafka_username from organization where kafka_username is not null and active order by id

-- name: progress
select topic, partition, next_offset from progress

-- name: stopped
select topic, partition, stopped from progress where stopped is not null order by topic, partition

-- name: dead_letters
select count(*) as waiting, count(*) filter (where reason = 'our-failure') as failures
from dead_letter where replayed_at is null
