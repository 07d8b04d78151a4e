"""Make settings of what a person types: names, hosts, and inventories in, the texts of files out. Pure."""
