-- name: list
select topic, partition, next_offset, stopped, held, updated_at from progress
where ($1::text is null or topic = $1) and (not $2 or stopped is not null)
order by topic, partition

-- name: resume
update progress set stopped = null, held = false
where topic = $1 and ($2::int is null or partition = $2) and held
returning partition

-- name: rows
select topic, partition, next_offset, cluster_id, topic_id from progress
where topic = $1 and ($2::int is null or partition = $2) order by partition for update

-- name: reset
update progress set next_offset = $3, cluster_id = $4, topic_id = $5, stopped = null, held = false, updated_at = now()
where topic = $1 and partition = $2

-- name: note
insert into progress_reset (topic, partition, from_offset, to_offset, why, by_whom) values ($1, $2, $3, $4, $5, $6)
