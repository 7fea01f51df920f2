// The part of XMLHttpRequest that a client before 1.8 needs for long polling. Node
// has none, and such a client knows no fetch. Callbacks come in a browser's order,
// also that a request which is aborted counts as done first: the client builds on it.
export class XMLHttpRequest {
  readyState = 0
  responseText = ""
  timeout = 0 // ms; 0 is none
  #request
  #headers = {}
  #stop = new AbortController()
  #timer

  open(method, url) {
    this.#request = { method, url }
    this.readyState = 1
  }

  setRequestHeader(name, value) {
    this.#headers[name] = value
  }

  send(body) {
    const { method, url } = this.#request
    if (this.timeout > 0) this.#timer = setTimeout(() => this.#done("", "timeout"), this.timeout)
    fetch(url, { method, headers: this.#headers, body, signal: this.#stop.signal })
      .then(answer => answer.text())
      .then(text => this.#done(text, "load"), () => this.#done("", "error"))
  }

  abort() {
    this.#done("", "abort")
  }

  #done(text, event) {
    if (this.readyState === 4) return
    this.readyState = 4
    this.responseText = text
    clearTimeout(this.#timer)
    this.#stop.abort()
    this.onreadystatechange?.()
    this[`on${event}`]?.()
  }
}
