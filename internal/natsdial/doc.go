// Package natsdial has what every connection to an existing NATS needs: the check of addresses and
// credentials, the order in which lost servers are tried again, and texts for errors.
package natsdial
