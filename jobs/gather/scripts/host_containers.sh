# All containers, as `docker inspect` prints them. Nothing if there are none.
containers() {
  ids=$(timeout 60 docker ps -aq) || return
  [ -z "$ids" ] || timeout 60 docker inspect $ids
}
background containers containers
