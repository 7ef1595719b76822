'use strict';

/** A tab of any browser with a client that keeps what it hears. */
class ClientTab {
  /** A blank one. */
  static async create(profile, site) {
    const tab = new ClientTab();
    tab.site = site;
    tab.tab = await profile.openTab();
    return tab;
  }

  /** `page` is what Site's page() takes, and `bound`; `client` are the options of connect(). */
  static async open(profile, site, client, page) {
    const tab = await ClientTab.create(profile, site);
    await tab.begin(client, page);
    return tab;
  }

  /** Opens the page, anew perhaps, and connects. */
  async begin(client, { bound, ...page } = {}) {
    await this.tab.goto(this.site.page(page));
    await this.until(() => typeof connect === 'function');
    await this.evaluate(([options, more]) => listen(options, more), [client, { bound }]);
  }

  evaluate(run, value) {
    return this.tab.evaluate(run, value);
  }

  until(condition, value, options) {
    return this.tab.until(condition, value, options);
  }

  ready() {
    return this.evaluate(() => client.ready());
  }

  get(name) {
    return this.evaluate((what) => client[what], name);
  }

  /** What was heard: "type topic" of each event. */
  heard() {
    return this.evaluate(() => heard.map(({ type, topic }) => `${type} ${topic}`));
  }

  states() {
    return this.evaluate(() => states);
  }

  /** What went wrong in the page. */
  faults() {
    return this.evaluate(() => faults);
  }

  untilState(state) {
    return this.until((wanted) => client.state === wanted, state);
  }

  untilHeard(type) {
    return this.until((wanted) => heard.some((event) => event.type === wanted), type);
  }

  close() {
    return this.tab.close();
  }
}

module.exports = { ClientTab };
